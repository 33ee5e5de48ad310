/**
 * `publish` to a folder: copies a registry, or the submission waiting in it, to where a web server or another publisher
 * finds it (formats 1.2). Immutable files first, each whole or not at all; the envelope last, and never an older one.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Envelope } from '../model/registry.ts'
import { FILE_LIMITS, parseEnvelope, parseSignedFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { ENVELOPE_PATH, findRegistryFile, readRegistryFile, writeEnvelope } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { verifyRegistryAs } from './registry-state.ts'

export interface PublishOptions {
  readonly folder: string
  /** A folder; made when absent. Its own files are never removed. */
  readonly target: string
  readonly clock: Clock
}

export interface Published {
  /** Paths below the registry that were not there before. */
  readonly copied: readonly string[]
  /** Version now in the target. */
  readonly version: number
}

/** Root files come last: clients refuse a new one until the envelope names it. */
const FOLDERS = ['channels', 'map', 'transport', 'blob', 'package', 'index', 'history', 'snapshot', 'incoming', 'root']
const NAME =
  /^(?:[1-9][0-9]{0,15}\.json|[0-9]{8}T[0-9]{6}Z\.json|[0-9a-f]{64}(?:\.json|\.jsonl\.zst|\.vmpkg)?)$/

/** @throws {VmpkgError} `REGISTRY_INVALID` `REGISTRY_CHANGED`, or what a client would refuse the source for */
export async function publishToFolder({ folder, target, clock }: PublishOptions): Promise<Published> {
  const envelope = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelope)
  await verifyRegistryAs(folder, envelope, clock.now())
  await mkdir(target, { recursive: true })
  return withRegistryLock(target, async () => {
    const offered = identify(envelope)
    const present = await findRegistryFile(target, ENVELOPE_PATH, FILE_LIMITS.envelope)
    refuseOlder(offered, present === undefined ? undefined : identify(present))
    const copied: string[] = []
    for (const kind of FOLDERS) copied.push(...(await copyKind(folder, target, kind)))
    await writeEnvelope(target, envelope)
    return { copied, version: offered.version }
  })
}

type Identity = Pick<Envelope, 'registryId' | 'version' | 'root'>

function identify(envelope: Uint8Array): Identity {
  return parseEnvelope(parseSignedFile(envelope, 'ENVELOPE_INVALID', 'The envelope', FILE_LIMITS.envelope).payload)
}

function refuseOlder(offered: Identity, present: Identity | undefined): void {
  if (present === undefined) return
  // A rotation may begin the count of versions anew (threats M07), so the root comes first.
  const isNewer = present.root.version < offered.root.version
  const isSame = present.root.version === offered.root.version && present.version <= offered.version
  if (present.registryId === offered.registryId && (isNewer || isSame)) return
  throw new VmpkgError('REGISTRY_CHANGED', 'The target holds a newer version, or another registry', {
    hint: 'Fetch the newer version first and publish on top of it.',
    details: { present: present.version, offered: offered.version },
  })
}

async function copyKind(folder: string, target: string, kind: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, kind)).catch(() => [])
  const present = new Set(await readdir(join(target, kind)).catch(() => []))
  const missing = names.filter((name) => NAME.test(name) && !present.has(name)).toSorted()
  for (const name of missing) await copyDurably(join(folder, kind, name), join(target, kind, name))
  return missing.map((name) => `${kind}/${name}`)
}

async function copyDurably(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  const temporary = `${to}.${randomUUID()}.tmp`
  try {
    await copyFile(from, temporary)
    {
      await using handle = await open(temporary, 'r')
      await handle.sync()
    }
    await renameDurably(temporary, to)
  } finally {
    await rm(temporary, { force: true })
  }
}
