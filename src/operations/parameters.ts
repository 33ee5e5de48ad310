/** Parameter values of a package for this host: its defaults under what the user sets. */
import { VmpkgError } from '../errors.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { parseSize } from '../model/size.ts'
import type { LoadedPackage } from './package-store.ts'
import type { Workspace } from './workspace.ts'

export function parseAssignments(set: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    set.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new VmpkgError('USAGE', `--set takes NAME=VALUE, not ${JSON.stringify(text.slice(0, 60))}`)
      return [text.slice(0, at), text.slice(at + 1)] as const
    }),
  )
}

export function mergeFor(_workspace: Workspace, { manifest }: LoadedPackage, _set: readonly string[]): ParameterValues {
  return Object.fromEntries(
    Object.entries(manifest.parameters).flatMap(([name, p]) =>
      'default' in p && p.default !== undefined
        ? [[name, { value: p.type === 'size' ? parseSize(String(p.default)) : p.default, origin: 'default' as const }]]
        : [],
    ),
  )
}
