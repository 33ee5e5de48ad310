/** Parameter values of a package for this host: its defaults, the host's own values, what the command line sets. */
import { VmpkgError } from '../errors.ts'
import type { Manifest, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { formatParameter, mergeParameters } from '../render/parameters.ts'

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

/**
 * The values of each package, by its name. What is set without a package's name is for those that were asked for and have
 * such a parameter, never for their dependencies.
 * @param before values that were set when the package was installed before, which are kept
 * @throws {VmpkgError} `PARAMETER_INVALID`, `USAGE` where an assignment is for no package at hand
 */
export function assignParameters(
  packages: readonly { readonly manifest: Manifest; readonly isAsked: boolean; readonly before?: ParameterValues }[],
  set: readonly string[],
): ReadonlyMap<string, ParameterValues> {
  const assignments = parseAssignments(set)
  const asked = packages.filter(({ isAsked }) => isAsked).map(({ manifest }) => manifest)
  for (const one of assignments)
    requireTaker(
      one,
      packages.map(({ manifest }) => manifest),
      asked,
    )
  return new Map(
    packages.map(({ manifest, isAsked, before = {} }) => {
      const own = assignments.filter(
        (one) =>
          one.package === manifest.name ||
          (one.package === undefined && isAsked && (asked.length === 1 || has(manifest, one.parameter))),
      )
      const kept = Object.entries(before)
        .filter(([name, { origin }]) => origin === 'command line' && has(manifest, name))
        .map(([name, { value }]) => [name, asWritten(manifest, name, value)] as const)
      const values = Object.fromEntries([...kept, ...own.map(({ parameter, value }) => [parameter, value] as const)])
      return [manifest.name, mergeParameters(manifest.parameters, [{ origin: 'command line', values }])]
    }),
  )
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
