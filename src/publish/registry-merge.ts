/**
 * `repo merge`: takes what waits under `incoming/` into the next versions (decisions 5): package versions of publishers,
 * then channels files of promoters, in the order of their versions. All of it is hostile until its signatures count.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { ChannelEntry, Channels, Envelope, SignedFile } from '../model/registry.ts'
import { verifySubmission } from '../trust/submission.ts'
import { isOfPromoter, listIncoming, openNewestRoot, readIncoming, verifyWaitingChannels } from './incoming.ts'
import { type AddResult, mergeEntries } from './registry-add.ts'
import { withRegistryLock } from './registry-lock.ts'
import { findArchs, publishChannels } from './registry-promote.ts'
import { readRegistry } from './registry-state.ts'
import type { Timestamping } from './registry-version.ts'

type MergedPath =
  | { readonly path: string; readonly result: AddResult }
  | { readonly path: string; readonly channels: readonly ChannelEntry[]; readonly envelope: Envelope }

export interface MergeResult {
  readonly merged: readonly MergedPath[]
  /** Left where they are. */
  readonly refused: readonly { readonly path: string; readonly error: VmpkgError }[]
}

interface Waiting {
  readonly path: string
  readonly file: Uint8Array
  readonly signed: SignedFile
  /** Of a channels file; believed only after its signatures. */
  readonly channels?: Channels
}

/** Each submission on its own: a bad one stops no other. A merged one is removed. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function mergeSubmissions(folder: string, timestamping: Timestamping): Promise<MergeResult> {
  const merged: MergedPath[] = []
  const refused: { path: string; error: VmpkgError }[] = []
  const attempt = async (path: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
      refused.push({ path, error })
    }
  }
  const waiting: Waiting[] = []
  for (const path of await listIncoming(folder)) {
    await attempt(path, async () => void waiting.push(await open(folder, path, timestamping)))
  }
  for (const one of waiting.toSorted((a, b) => (a.channels?.version ?? 0) - (b.channels?.version ?? 0))) {
    await attempt(one.path, async () => {
      merged.push(await mergeOne(folder, one, timestamping))
      await rm(join(folder, one.path))
    })
  }
  return { merged, refused }
}

async function open(folder: string, path: string, { clock }: Timestamping): Promise<Waiting> {
  const { file, signed } = await readIncoming(folder, path)
  if (!isOfPromoter(signed)) return { path, file, signed }
  const { trusted, keysAt } = await openNewestRoot(await readRegistry(folder), clock)
  return { path, file, signed, channels: await verifyWaitingChannels(signed, trusted, keysAt) }
}

async function mergeOne(folder: string, waiting: Waiting, timestamping: Timestamping): Promise<MergedPath> {
  const { path, file, channels } = waiting
  if (channels !== undefined) return mergeChannels(folder, { ...waiting, channels }, timestamping)
  const { trusted, keysAt } = await openNewestRoot(await readRegistry(folder), timestamping.clock)
  const entries = await verifySubmission(file, trusted, keysAt)
  const wire = entries.map((entry) => entry.wire)
  return { path, result: await mergeEntries(folder, wire, timestamping) }
}

async function mergeChannels(
  folder: string,
  { path, file, channels }: Waiting & { readonly channels: Channels },
  timestamping: Timestamping,
): Promise<MergedPath> {
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    if (channels.version !== state.channels.version + 1) {
      const problem = `The submitted channels file is version ${channels.version}, the registry has ${state.channels.version}`
      throw new VmpkgError('REGISTRY_CHANGED', problem, {
        hint: 'The promoter has to look at what was published meanwhile and sign it anew; then remove this file.',
      })
    }
    for (const entry of channels.entries) findArchs(state, entry)
    const envelope = await publishChannels(state, file, timestamping)
    return { path, channels: channels.entries, envelope }
  })
}
