/** Everything this host knows of a source: pins, keys and roles of the newest root file, versions seen, expiry. */
import { VmpkgError } from '../errors.ts'
import { formatTime } from '../model/shape.ts'
import { TrustMarkStore } from '../state/trust-marks.ts'
import { parseTrustMarks } from '../trust/marks.ts'
import { describeRoot } from '../trust/root-chain.ts'
import { markedSource } from './source-memory.ts'
import { type SourceRow, sourceRow, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

interface ShownRole {
  readonly role: string
  readonly threshold: number
  readonly keys: readonly { readonly fingerprint: string; readonly userIds: readonly string[] }[]
  /** Publishers only. */
  readonly patterns?: readonly string[]
}

export interface ShownSource extends SourceRow {
  readonly pinnedRoot: { readonly version: number; readonly sha256: string }
  /** The newest one that this host has accepted. */
  readonly root: { readonly version: number; readonly expiresAt: string; readonly roles: readonly ShownRole[] }
  /** Of the last accepted envelope; absent before the first update. */
  readonly envelope?: { readonly version: number; readonly issuedAt: string; readonly expiresAt: string }
  readonly channelsVersion?: number
  /** Contradictions that are kept: `vmpkg source evidence`. */
  readonly evidence: number
}

/** @throws {VmpkgError} `SOURCE_UNKNOWN` `SOURCE_INVALID` `STATE_INVALID` */
export async function describeSource(workspace: Workspace, name: string): Promise<ShownSource> {
  const source = await sourceStore(workspace).get(name)
  const store = new TrustMarkStore(workspace.trust, workspace.outside.clock)
  const seen = store.find(markedSource(source))
  const marks = seen === undefined ? undefined : parseTrustMarks(seen.marks)
  const isPinned = marks === undefined || marks.root.sha256 === source.pin.sha256
  const file = isPinned ? await sourceStore(workspace).readPinnedRoot(source) : seen?.root
  if (file === undefined) {
    throw new VmpkgError('STATE_INVALID', `The newest root file of source ${name} is not kept here`, {
      hint: 'Run vmpkg update.',
    })
  }
  const { root, userIds } = await describeRoot(file, marks?.root ?? source.pin)
  const roles = [
    { role: 'root', ...root.root },
    { role: 'timestamp', ...root.timestamp },
    { role: 'promoter', ...root.promoter },
    ...root.publishers.map((grant) => ({ role: 'publisher', ...grant })),
  ].map((one) => ({
    ...one,
    keys: one.keys.map((fingerprint) => ({ fingerprint, userIds: userIds.get(fingerprint) ?? [] })),
  }))
  return {
    ...sourceRow(source),
    pinnedRoot: source.pin,
    root: { version: root.version, expiresAt: formatTime(root.expiresAt), roles },
    ...(marks?.envelope === undefined || seen?.envelope === undefined
      ? {}
      : {
          envelope: {
            version: marks.envelope.version,
            issuedAt: formatTime(seen.envelope.issuedAt),
            expiresAt: formatTime(seen.envelope.expiresAt),
          },
        }),
    ...(marks?.channels === undefined ? {} : { channelsVersion: marks.channels.version }),
    evidence: store.listEvidence(name).length,
  }
}
