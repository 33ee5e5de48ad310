/** One holder's part of a rotation: look at the draft, sign it with the root keys that are here. Needs no registry. */
import { replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { diffRoots } from '../publish/registry-diff.ts'
import {
  type DraftProgress,
  draftProgress,
  formatDraft,
  parseDraft,
  rootHolders,
  signDraft,
} from '../publish/root-draft.ts'
import { CLOCK_TOLERANCE_MS } from '../trust/freshness.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { readDraftFile } from './repo-rotate-key.ts'
import type { Workspace } from './workspace.ts'

export interface SignRootReport {
  readonly dryRun: boolean
  readonly registryId: string
  readonly rootVersion: number
  /** SHA-256 of the root file that it follows: the holder can compare it with what clients have. */
  readonly follows: string
  readonly changes: readonly string[]
  /** Fingerprints that signed in this run. */
  readonly signed: readonly string[]
  readonly progress: readonly DraftProgress[]
  readonly complete: boolean
}

export interface SignRootRequest extends KeyAccess {
  readonly file: string
  readonly dryRun: boolean
  /** Shown what would change; false leaves the draft as it is. */
  readonly agree: (changes: readonly string[]) => Promise<boolean>
}

/** @throws {VmpkgError} `ROOT_INVALID` `KEY_UNKNOWN` `CONFIRMATION_NEEDED`; `ABORTED` where the holder says no */
export async function signRootDraft(workspace: Workspace, request: SignRootRequest): Promise<SignRootReport> {
  const { file, dryRun, agree } = request
  const draft = parseDraft(await readDraftFile(file))
  const ring = new KeyRing(workspace, request)
  const held = await ring.held(rootHolders(draft))
  if (held.length === 0) {
    throw new VmpkgError('KEY_UNKNOWN', `No root key of this registry, old or new, is in ${ring.folder}`, {
      hint: 'Name the folder that holds it with --keys.',
      details: { among: rootHolders(draft) },
    })
  }
  const changes = diffRoots(draft.before, draft.root)
  if (!dryRun && !(await agree(changes))) throw new VmpkgError('ABORTED', 'The draft was not signed')
  const signed = await signDraft(draft, await ring.signers(held))
  if (!dryRun) await replaceFile(file, formatDraft(signed))
  const now = new Date(workspace.outside.clock.now().getTime() + CLOCK_TOLERANCE_MS)
  const progress = await draftProgress(signed, now)
  return {
    dryRun,
    registryId: draft.root.registryId,
    rootVersion: draft.root.version,
    follows: sha256(draft.beforeFile),
    changes,
    signed: held.map(({ fingerprint }) => fingerprint),
    progress,
    complete: progress.every(({ threshold, signed: keys }) => keys.length >= threshold),
  }
}
