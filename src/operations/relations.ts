/** What depends on what: `depends`, `rdepends`, `why` and `why-not`, over the catalogue and what is installed. */
import type { Catalogue, CatalogueEntry } from '../catalogue/catalogue.ts'
import { RELATION_KINDS, type RelationKind } from '../catalogue/write.ts'
import { parseRelation } from '../model/relation.ts'
import { fulfilsRelation } from '../resolve/relations.ts'
import { explainFailure, resolve } from '../resolve/resolve.ts'
import { unknownPackage } from '../resolve/suggest.ts'
import { entryOf, parseWish } from './candidates.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import { heldNames, mayGoBack, universeOf } from './universe.ts'
import type { Workspace } from './workspace.ts'

export interface RelationNode {
  readonly kind: RelationKind
  /** As in `router-uni (>= 2.0) | tor`. */
  readonly relation: string
  /** What fulfils it: the installed version, else the candidate. */
  readonly by: { readonly name: string; readonly version: string; readonly isInstalled: boolean } | undefined
  /** Of that one; with `isRepeated` where they stand elsewhere in the tree. */
  readonly needs: readonly RelationNode[]
  readonly isRepeated: boolean
}

export interface DependsResult {
  readonly name: string
  readonly version: string
  readonly isInstalled: boolean
  readonly relations: readonly RelationNode[]
}

export interface Dependent {
  readonly name: string
  readonly version: string
  readonly isInstalled: boolean
  readonly kind: RelationKind
  readonly relation: string
}

export interface WhyStep {
  readonly name: string
  readonly version: string
  /** The relation of the step before that it fulfils; absent for the first, which the user installed. */
  readonly relation: string | undefined
  readonly kind: 'depends' | 'recommends' | undefined
}

export interface WhyNot {
  readonly request: string
  /** Sentences; none where it can be installed. */
  readonly explanation: readonly string[]
  readonly hints: readonly string[]
  /** What an installation would do, where it is possible. */
  readonly changes: readonly string[]
}

/** Depth of the tree that is shown, and nodes in all: a hostile catalogue is not printed to the end. */
const MAX_DEPTH = 20
const MAX_NODES = 5000

/** Of the installed version, else of the candidate. @throws {VmpkgError} `PACKAGE_UNKNOWN` `SOURCE_UNKNOWN` */
export function depends(
  workspace: Workspace,
  name: string,
  { recursive }: { readonly recursive: boolean },
): DependsResult {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const look = new Lookup(workspace, catalogue)
  const top = look.get(name)
  const seen = new Set<string>([name])
  let count = 0
  const expand = ({ line }: CatalogueEntry, depth: number): readonly RelationNode[] => {
    const kinds = depth === 0 && !recursive ? RELATION_KINDS : (['depends'] as const)
    return kinds.flatMap((kind) =>
      line[kind].map((relation): RelationNode => {
        const found = kind === 'depends' || kind === 'recommends' ? look.fulfilling(relation) : undefined
        const isRepeated = found !== undefined && seen.has(found.line.name)
        const goesOn = recursive && found !== undefined && !isRepeated && depth < MAX_DEPTH && ++count < MAX_NODES
        if (goesOn) seen.add(found.line.name)
        const by =
          found === undefined
            ? undefined
            : { name: found.line.name, version: found.line.version, isInstalled: look.isInstalled(found.line.name) }
        return {
          kind,
          relation,
          by,
          needs: goesOn ? expand(found, depth + 1) : [],
          isRepeated: isRepeated && recursive,
        }
      }),
    )
  }
  return { name, version: top.line.version, isInstalled: look.isInstalled(name), relations: expand(top, 0) }
}

/** By name: whose installed version, or else candidate, needs the package or something it provides. */
export function reverseDepends(
  workspace: Workspace,
  name: string,
  { installedOnly }: { readonly installedOnly: boolean },
): readonly Dependent[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const look = new Lookup(workspace, catalogue)
  const own = look.find(name)
  const provided = own?.line.provides.flatMap((text) => parseRelation(text).alternatives) ?? []
  const targets = [name, ...provided.map((one) => one.name)]
  const kinds = ['depends', 'recommends'] as const
  const known = kinds.flatMap((kind) => targets.flatMap((target) => catalogue.related(kind, target)))
  if (own === undefined && known.length === 0) throw unknownPackage(name, catalogue.names())
  const names = installedOnly ? look.installedNames : [...new Set([...known, ...look.installedNames])].toSorted()
  return names.flatMap((other) => {
    const entry = look.find(other)
    if (entry === undefined) return []
    const { version } = entry.line
    const isInstalled = look.isInstalled(other)
    return kinds.flatMap((kind) =>
      entry.line[kind]
        .filter((text) => mentions(text, targets, own))
        .map((relation): Dependent => ({ name: other, version, isInstalled, kind, relation })),
    )
  })
}

/** The shortest chain from something the user installed. Empty where nothing needs it any more. */
export function why(workspace: Workspace, name: string): readonly WhyStep[] {
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  const target = workspace.installed.get(name)
  const entries = installed.map((one) => ({ isAuto: one.isAuto, entry: entryOf(catalogue, one) }))
  const chains = new Map<string, readonly WhyStep[]>()
  for (const { isAuto, entry } of entries) {
    const { line } = entry
    if (!isAuto)
      chains.set(line.name, [{ name: line.name, version: line.version, relation: undefined, kind: undefined }])
  }
  // A map grows while it is walked, so this is breadth first.
  for (const [current, chain] of chains) {
    const from = entries.find(({ entry }) => entry.line.name === current)?.entry
    for (const kind of ['depends', 'recommends'] as const) {
      for (const relation of from?.line[kind] ?? []) {
        const parsed = parseRelation(relation)
        for (const { entry } of entries) {
          const { name: next, version } = entry.line
          if (chains.has(next) || !fulfilsRelation(entry, parsed)) continue
          chains.set(next, [...chain, { name: next, version, relation, kind }])
        }
      }
    }
  }
  return chains.get(target.line.name) ?? []
}

/** `name` or `name=version`. @throws {VmpkgError} `PACKAGE_UNKNOWN` `SOURCE_UNKNOWN` */
export function whyNot(workspace: Workspace, request: string): WhyNot {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  const universe = universeOf(catalogue, installed)
  const wanted = {
    install: [parseWish(request)],
    holds: heldNames(installed),
    downgrade: mayGoBack(catalogue, installed),
    installed: installed.map((one) => ({ candidate: entryOf(catalogue, one), isAuto: one.isAuto })),
  }
  const failure = explainFailure(wanted, universe)
  if (failure !== undefined) return { request, explanation: failure.sentences, hints: failure.hints, changes: [] }
  const { steps } = resolve(wanted, universe)
  const changes = steps.map(({ kind, candidate: { line } }) => `${kind} ${line.name} ${line.version}`)
  return { request, explanation: [], hints: [], changes }
}

/** Packages as they are here, or would be: installed, else the candidate. */
class Lookup {
  readonly #catalogue: Catalogue
  readonly #installed: ReadonlyMap<string, CatalogueEntry>
  readonly #found = new Map<string, CatalogueEntry | undefined>()

  constructor(workspace: Workspace, catalogue: Catalogue) {
    this.#catalogue = catalogue
    this.#installed = new Map(workspace.installed.list().map((one) => [one.line.name, entryOf(catalogue, one)]))
  }

  get installedNames(): readonly string[] {
    return [...this.#installed.keys()].toSorted()
  }

  isInstalled(name: string): boolean {
    return this.#installed.has(name)
  }

  find(name: string): CatalogueEntry | undefined {
    if (!this.#found.has(name)) this.#found.set(name, this.#installed.get(name) ?? this.#catalogue.candidate(name))
    return this.#found.get(name)
  }

  get(name: string): CatalogueEntry {
    const entry = this.find(name)
    if (entry === undefined) throw unknownPackage(name, this.#catalogue.names())
    return entry
  }

  /** An installed one before a candidate, as the resolver prefers. */
  fulfilling(text: string): CatalogueEntry | undefined {
    const relation = parseRelation(text)
    const here = [...this.#installed.values()].find((entry) => fulfilsRelation(entry, relation))
    if (here !== undefined) return here
    for (const { name } of relation.alternatives) {
      for (const each of [name, ...this.#catalogue.providers(name)]) {
        const entry = this.#catalogue.available(each).find((one) => fulfilsRelation(one, relation))
        if (entry !== undefined) return entry
      }
    }
    return undefined
  }
}

function mentions(text: string, targets: readonly string[], own: CatalogueEntry | undefined): boolean {
  const relation = parseRelation(text)
  if (own !== undefined && fulfilsRelation(own, relation)) return true
  return own === undefined && relation.alternatives.some(({ name }) => targets.includes(name))
}
