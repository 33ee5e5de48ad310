/**
 * Parameter values of packages for this host: defaults, then the profiles chosen (the package's own, then the user's), the
 * host's values and what the command line sets.
 */
import { VmpkgError } from '../errors.ts'
import type { Manifest, Origin, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { formatParameter, mergeParameters, type ParameterLayer } from '../render/parameters.ts'
import type { Paths } from '../state/paths.ts'
import { readHostValues, readProfile, type UserValues } from '../state/user-values.ts'
import { storeFiles } from './file-parameters.ts'

export interface Assignment {
  /** Absent: for every package that was asked for and has the parameter. */
  readonly package: string | undefined
  readonly parameter: string
  readonly value: string
}

/** `memory=192MiB` or `router-uni:memory=192MiB`. @throws {VmpkgError} `USAGE` */
export function parseAssignments(texts: readonly string[]): readonly Assignment[] {
  return texts.map((text) => {
    const match = /^(?:([a-z0-9][a-z0-9+.-]*):)?([A-Za-z][A-Za-z0-9_-]*)=(.*)$/s.exec(text)
    const [, packageName, parameter = '', value = ''] = match ?? []
    if (match !== null) return { package: packageName, parameter, value }
    throw new VmpkgError('USAGE', `--set takes NAME=VALUE, not ${JSON.stringify(text.slice(0, 60))}`, {
      hint: 'For example --set memory=192MiB, or --set router-uni:memory=192MiB for one of several packages.',
    })
  })
}

/** What a command line says about values. */
export interface ValueRequest {
  /** `parameter=value`, or `package:parameter=value`. */
  readonly set: readonly string[]
  /** Names of profiles, of the packages or of the user; later ones win. */
  readonly profiles: readonly string[]
}

/**
 * The values of each package, by its name. What is set without a package's name is for those that were asked for and have
 * such a parameter, never for their dependencies; so are profiles that packages bring.
 * @param before values that were set when the package was installed before, which are kept
 * @throws {VmpkgError} `PARAMETER_INVALID`, `USAGE` where an assignment is for no package at hand or nobody has the profile
 */
export function assignParameters(
  paths: Pick<Paths, 'values' | 'profiles'>,
  packages: readonly {
    readonly manifest: Manifest
    readonly isAsked: boolean
    readonly before?: ParameterValues
    /** For later machines, which are given what is missing. */
    readonly isPartial?: boolean
  }[],
  { set, profiles }: ValueRequest,
): ReadonlyMap<string, ParameterValues> {
  const assignments = parseAssignments(set)
  const asked = packages.filter(({ isAsked }) => isAsked).map(({ manifest }) => manifest)
  for (const one of assignments)
    requireTaker(
      one,
      packages.map(({ manifest }) => manifest),
      asked,
    )
  for (const profile of profiles) requireProfile(paths, profile, asked)
  return new Map(
    packages.map(({ manifest, isAsked, before = {}, isPartial = false }) => {
      const own = assignments.filter(
        (one) =>
          one.package === manifest.name ||
          (one.package === undefined && isAsked && (asked.length === 1 || has(manifest, one.parameter))),
      )
      const chosen = profiles.flatMap((profile): readonly ParameterLayer[] => {
        const brought = isAsked ? manifest.profiles?.[profile] : undefined
        const users = readProfile(paths, profile, manifest.name)
        return [
          ...(brought === undefined ? [] : [{ origin: 'package', values: brought } as const]),
          ...(users === undefined ? [] : [layerOf(manifest, users)]),
        ]
      })
      const layers: readonly ParameterLayer[] = [
        ...(['package', 'profile', 'command line'] as const).map((origin) => keptLayer(manifest, before, origin)),
        ...chosen,
        layerOf(manifest, readHostValues(paths, manifest.name)),
        { origin: 'command line', values: collect(manifest, own) },
      ]
      const merged = mergeParameters(manifest.parameters, layers, { isPartial })
      return [manifest.name, storeFiles(manifest.parameters, merged)]
    }),
  )
}

/** Repeated assignments of a list are its items; of anything else the last one counts. */
function collect({ parameters }: Manifest, own: readonly Assignment[]): Readonly<Record<string, unknown>> {
  const groups = Map.groupBy(own, ({ parameter }) => parameter)
  return Object.fromEntries(
    [...groups].map(([name, assignments]) => {
      const definition = Object.hasOwn(parameters, name) ? parameters[name] : undefined
      const isList = definition !== undefined && 'list' in definition && definition.list
      const texts = assignments.map(({ value }) => value)
      return [name, isList ? texts : texts.at(-1)] as const
    }),
  )
}

/** Values for all packages count for those that have the parameter. */
function layerOf(manifest: Manifest, { origin, forAll, forPackage }: UserValues): ParameterLayer {
  const fitting = Object.entries(forAll).filter(([name]) => has(manifest, name))
  return { origin, values: { ...Object.fromEntries(fitting), ...forPackage } }
}

function keptLayer(
  manifest: Manifest,
  before: ParameterValues,
  origin: Exclude<Origin, 'default' | 'host'>,
): ParameterLayer {
  const kept = Object.entries(before)
    .filter(([name, one]) => one.origin === origin && has(manifest, name))
    .map(([name, { value }]) => [name, asWritten(manifest, name, value)] as const)
  return { origin, values: Object.fromEntries(kept) }
}

function requireProfile(paths: Pick<Paths, 'values' | 'profiles'>, profile: string, asked: readonly Manifest[]): void {
  const brought = asked.flatMap(({ profiles = {} }) => Object.keys(profiles))
  if (brought.includes(profile) || readProfile(paths, profile, '*') !== undefined) return
  throw new VmpkgError('USAGE', `There is no profile ${JSON.stringify(profile.slice(0, 60))}`, {
    hint:
      brought.length === 0
        ? `These packages bring none; one of yours would be ${paths.profiles}/${profile}.yaml.`
        : `These packages bring ${[...new Set(brought)].join(', ')}.`,
    details: { profile },
  })
}

function requireTaker(one: Assignment, all: readonly Manifest[], asked: readonly Manifest[]): void {
  const { package: name, parameter } = one
  if (name === undefined) {
    if (asked.length === 1 || asked.some((manifest) => has(manifest, parameter))) return
    throw new VmpkgError(
      'PARAMETER_INVALID',
      `No package that you named has a parameter ${JSON.stringify(parameter)}`,
      {
        hint: `Those are ${asked.map((manifest) => manifest.name).join(', ')}; for a dependency write PACKAGE:${parameter}=VALUE.`,
        details: { parameter },
      },
    )
  }
  if (all.some((manifest) => manifest.name === name)) return
  throw new VmpkgError('USAGE', `--set names the package ${JSON.stringify(name)}, which this command does not touch`, {
    hint: `It is about ${all.map((manifest) => manifest.name).join(', ')}.`,
  })
}

function has({ parameters }: Manifest, name: string): boolean {
  return Object.hasOwn(parameters, name)
}

/** A stored size is bytes; one that is checked again is written like the first time. */
function asWritten({ parameters }: Manifest, name: string, value: ParameterValue): ParameterValue {
  const definition = parameters[name]
  return definition === undefined ? value : formatParameter(definition, value)
}
