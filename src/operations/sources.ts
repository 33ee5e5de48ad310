/** The registries this host trusts, as files and as places to fetch from. */
import type { Mirror } from '../fetch/mirror.ts'
import { formatExpiry, type Source } from '../sources/source.ts'
import { SourceStore } from '../sources/store.ts'
import type { Workspace } from './workspace.ts'

export interface SourceRow {
  readonly name: string
  /** Without user and password. */
  readonly url: string
  readonly expiry: string
  readonly priority: number
  readonly registryId: string
  readonly rootKeys: readonly string[]
  readonly minimumVersion?: number
}

export function sourceStore({ paths }: Workspace): SourceStore {
  return new SourceStore(paths)
}

/** Where a source's files are fetched from. @throws {VmpkgError} `SOURCE_UNKNOWN` `SOURCE_INVALID` */
export async function mirrorOf(workspace: Workspace, name: string): Promise<Mirror> {
  return mirrorOfSource(workspace, await sourceStore(workspace).get(name))
}

export function mirrorOfSource({ outside }: Workspace, { url }: Pick<Source, 'url'>): Mirror {
  return { http: outside.http, base: url }
}

export function sourceRow(source: Source): SourceRow {
  const { name, expiry, priority, registryId, rootKeys, minimumVersion } = source
  return {
    name,
    url: shownUrl(source),
    expiry: formatExpiry(expiry),
    priority,
    registryId,
    rootKeys,
    ...(minimumVersion === undefined ? {} : { minimumVersion }),
  }
}

/** Without user, password and query. */
export function shownUrl({ url }: Pick<Source, 'url'>): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  shown.search = ''
  return shown.href
}
