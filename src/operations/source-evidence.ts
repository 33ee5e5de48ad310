/** Files with which registries contradicted themselves (threats M09), listed or written out for whoever has to judge them. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { replaceFile } from '../durable-file.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import { parseSourceName } from '../sources/source.ts'
import { TrustMarkStore } from '../state/trust-marks.ts'
import type { Workspace } from './workspace.ts'

export interface EvidenceRow {
  readonly source: string
  readonly notedAt: string
  readonly fact: string
  readonly name: string
  readonly sha256: Sha256
  readonly sizeBytes: number
  /** Where it was written to. */
  readonly path?: string
}

/**
 * Oldest first; of one source, present or removed, or of all. With `output` the files are written there.
 *
 * @throws {VmpkgError} `SOURCE_INVALID`
 */
export async function listEvidence(
  workspace: Workspace,
  name: string | undefined,
  output: string | undefined,
): Promise<readonly EvidenceRow[]> {
  const store = new TrustMarkStore(workspace.trust, workspace.outside.clock)
  const found = store.listEvidence(name === undefined ? undefined : parseSourceName(name))
  const folder = output === undefined ? undefined : resolve(workspace.folder, output)
  if (folder !== undefined) await mkdir(folder, { recursive: true })
  const rows: EvidenceRow[] = []
  for (const [i, { source, notedAt, fact, name: what, bytes }] of found.entries()) {
    const path = folder === undefined ? undefined : join(folder, `${String(i + 1).padStart(3, '0')}-${source}-${what}`)
    if (path !== undefined) await replaceFile(path, bytes)
    const about = { source, notedAt: notedAt.toISOString(), fact, name: what }
    rows.push({ ...about, sha256: sha256(bytes), sizeBytes: bytes.length, ...(path === undefined ? {} : { path }) })
  }
  return rows
}
