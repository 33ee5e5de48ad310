/** What the resolver chooses from. Pure values; `operations/` fills them from the catalogue and the installed packages. */
import type { PackageLine } from '../model/line.ts'

/** The part of a package version that relations speak about. */
export type Candidate = {
  readonly line: Pick<
    PackageLine,
    'name' | 'version' | 'depends' | 'recommends' | 'provides' | 'conflicts' | 'replaces'
  >
}

/** A version that some source has and that may not be installed. */
export interface Withheld<C extends Candidate> {
  readonly candidate: C
  /** Follows the version's name in a sentence: `is in channel testing, which you do not follow`. */
  readonly because: string
  /** What the user can do about it, as a sentence. */
  readonly hint?: string
}

export interface Universe<C extends Candidate> {
  /** Versions of a package that may be chosen, best first. The installed version need not be among them. */
  available(name: string): readonly C[]
  /** Names of packages that provide a virtual one, in order of preference. */
  providers(virtual: string): readonly string[]
  /** Names of packages of which some version replaces that one. */
  replacers?(name: string): readonly string[]
  /** Versions that are there and may not be chosen: only named in explanations. */
  withheld?(name: string): readonly Withheld<C>[]
  /** All names, for suggestions. */
  names(): readonly string[]
}

export interface InstalledCandidate<C extends Candidate> {
  readonly candidate: C
  readonly isAuto: boolean
}

/** A package asked for, as in `router-uni`, `router-uni (>= 1.2)`. */
export interface Wish {
  readonly name: string
  /** A relation's constraint, as in `= 1.0-1`. An installed package may become older by it. */
  readonly version?: string
}

export interface ResolveRequest<C extends Candidate> {
  readonly install: readonly Wish[]
  /** Installed packages that must go. */
  readonly remove?: readonly string[]
  /** Prefer the newest version of these installed packages, or of all. */
  readonly upgrade?: 'all' | readonly string[]
  /** Installed packages that must keep exactly the version they have, whatever else is asked for. */
  readonly holds?: readonly string[]
  /** Installed packages that may also become older, or all. They do so only where nothing newer fits. */
  readonly downgrade?: 'all' | readonly string[]
  readonly installed: readonly InstalledCandidate<C>[]
  /** Also take what packages recommend, where it fits. */
  readonly withRecommends?: boolean
}

export type Step<C extends Candidate> =
  | { readonly kind: 'remove'; readonly candidate: C }
  | { readonly kind: 'install'; readonly candidate: C; readonly isAuto: boolean }
  | { readonly kind: 'upgrade' | 'downgrade'; readonly from: C; readonly candidate: C; readonly isAuto: boolean }

export interface Solution<C extends Candidate> {
  /** Removals first, then installs with dependencies before those that need them. */
  readonly steps: readonly Step<C>[]
  /** Everything that will be there, by name. */
  readonly chosen: ReadonlyMap<string, C>
}
