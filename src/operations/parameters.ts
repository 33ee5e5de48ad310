/** Parameter values of a package for this host: its defaults, the host's own values, what the command line sets. */
import { VmpkgError } from '../errors.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { mergeParameters } from '../render/parameters.ts'
import type { LoadedPackage } from './package-store.ts'

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
 * @param isOnly the package is the only one that was asked for: then an unknown name is an error, not another package's.
 * @throws {VmpkgError} `PARAMETER_INVALID` `USAGE`
 */
export function mergeFor({ manifest }: LoadedPackage, set: readonly string[], isOnly: boolean): ParameterValues {
  const own = parseAssignments(set).filter(
    (one) =>
      one.package === manifest.name ||
      (one.package === undefined && (isOnly || Object.hasOwn(manifest.parameters, one.parameter))),
  )
  const values = Object.fromEntries(own.map(({ parameter, value }) => [parameter, value]))
  return mergeParameters(manifest.parameters, [{ origin: 'command line', values }])
}
