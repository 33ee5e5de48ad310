/**
 * Undo records and how they are run: by the command that made them when it fails, and by the next command when it died
 * (threats L01). Each is safe to run twice, and touches only what vmpkg made: domains and networks that carry our
 * metadata, files of a machine by its UUID.
 */
import { rm } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { parseSha256, type Sha256 } from '../model/digest.ts'
import { isDomainName } from '../model/name.ts'
import { readStorage, type Storage } from '../model/storage.ts'
import type { EndpointContext } from '../model/template-context.ts'
import type { Transaction, UndoRecord } from '../state/journal.ts'
import { connectionKey } from '../state/paths.ts'
import { findDeadBackups } from './dead-backups.ts'
import { mediumPath, removeMachineFiles } from './machine-files.ts'
import type { Workspace } from './workspace.ts'

export type Undo =
  | { readonly kind: 'remove-machine-files'; readonly uuid: string }
  | { readonly kind: 'settle-restore'; readonly uuid: string; readonly holder: string }
  | { readonly kind: 'remove-domain'; readonly uuid: string; readonly name: string }
  | { readonly kind: 'remove-secret'; readonly uuid: string }
  | { readonly kind: 'remove-data'; readonly name: string; readonly data: string }
  /** `ownsFolder`: its folder is vmpkg's to remove, also where the marker in it is not there yet, or any more. */
  | { readonly kind: 'settle-storage'; readonly storage: Storage; readonly ownsFolder?: boolean }
  | { readonly kind: 'stop-domain'; readonly uuid: string }
  | { readonly kind: 'resume-domain'; readonly uuid: string }
  | { readonly kind: 'settle-snapshots'; readonly uuid: string; readonly files: readonly string[] }
  | { readonly kind: 'remove-network'; readonly uuid: string; readonly name: string }
  | { readonly kind: 'release-images'; readonly holder: string }
  | { readonly kind: 'tidy-sources' }
  | { readonly kind: 'settle-local' }
  | { readonly kind: 'forget-registry'; readonly source: string; readonly registryId: string }
  | { readonly kind: 'remove-medium'; readonly uuid: string; readonly suffix: string }
  | {
      readonly kind: 'restore-configuration'
      readonly uuid: string
      readonly medium: string
      readonly rules: Sha256
      readonly endpoints?: readonly EndpointContext[]
    }
  | { readonly kind: 'restore-name'; readonly uuid: string; readonly name: string; readonly xml: string }
  | { readonly kind: 'restore-place'; readonly uuid: string; readonly place: string }
  | {
      readonly kind: 'return-card'
      readonly uuid: string
      readonly mac: string
      readonly network: string
      readonly cidr: string
      readonly link: 'up' | 'down'
    }
  | {
      readonly kind: 'restore-autostart'
      readonly what: 'machine' | 'network'
      readonly uuid: string
      readonly autostart: boolean
    }
  | {
      readonly kind: 'restore-domain' | 'restore-network'
      readonly uuid: string
      readonly name: string
      readonly xml: string
      readonly autostart: boolean
      readonly active: boolean
    }

/** In place of a connection's key: what is about the whole root is recovered by every command. */
export const HOST_WIDE = '*'

/**
 * Intends, narrowed to what we can undo; several at once are written down together, and undone last one first. A removal
 * intends all of its own steps: once they are written down it is carried through, by the next command if need be.
 */
export function intend(transaction: Transaction, ...undo: readonly Undo[]): void {
  transaction.intend(...undo.map((one) => ({ ...one })))
}

/** Undoes what dead commands of this connection left; of other connections only when they are asked for. */
export async function recover(workspace: Workspace): Promise<readonly string[]> {
  const done: string[] = []
  await tidyDeadBackups(workspace)
  const key = connectionKey(workspace.connectionName)
  const mine = workspace.journal.abandoned().filter(({ connection }) => connection === key || connection === HOST_WIDE)
  for (const pending of mine) {
    try {
      for (const record of pending.undo) await runUndo(workspace, record)
    } catch (cause) {
      if (isVmpkgError(cause, 'ABORTED')) throw cause
      warnUnfinished(workspace, cause) // it stays in the journal; what needs no libvirt can go on meanwhile
      continue
    }
    workspace.journal.resolve(pending)
    done.push(`${pending.operation} ${pending.subject}`)
    workspace.outside.emit({
      type: 'stage-finished',
      stage: 'recover',
      subject: `what an interrupted ${pending.operation} of ${pending.subject} left`,
    })
  }
  return done
}

/** A backup does not hold the lock while it reads, so that machines can be worked with: it is known by its process. */
async function tidyDeadBackups(workspace: Workspace): Promise<void> {
  try {
    if ((await findDeadBackups(workspace)).length === 0) return
    await (await import('./backup-session.ts')).tidyBackups(workspace)
  } catch (cause) {
    if (isVmpkgError(cause, 'ABORTED')) throw cause
    warnUnfinished(workspace, cause)
  }
}

/**
 * Runs `work` under a journal entry: committed by it, or undone when it throws. A failed undo stays in the journal, for
 * the next command.
 */
export async function transact<T>(
  workspace: Workspace,
  facts: {
    readonly operation: string
    readonly subject: string
    readonly comment?: string | undefined
    /** What stands for the command line, where that must not be kept. */
    readonly command?: string | undefined
    readonly connection?: typeof HOST_WIDE
  },
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const connection = facts.connection ?? connectionKey(workspace.connectionName)
  const transaction = workspace.journal.begin({ ...facts, connection, command: facts.command ?? workspace.command })
  try {
    return await work(transaction)
  } catch (error) {
    await takeBack(workspace, transaction)
    throw error
  }
}

/** What failed stays the news; that it could not be undone is told beside it. */
async function takeBack(workspace: Workspace, transaction: Transaction): Promise<void> {
  try {
    for (const record of transaction.undoRecords()) await runUndo(workspace, record)
    transaction.abandon()
  } catch (cause) {
    warnUnfinished(workspace, cause)
  }
}

function warnUnfinished({ outside }: Workspace, cause: unknown): void {
  const reason = cause instanceof Error ? cause.message : String(cause)
  outside.emit({
    type: 'warned',
    code: isVmpkgError(cause) ? cause.code : 'LIBVIRT_FAILED',
    message: `What was half done could not be undone yet: ${reason}`,
    hint: 'The next vmpkg command that changes something tries again; vmpkg gc does nothing else.',
  })
}

async function runUndo(workspace: Workspace, record: UndoRecord): Promise<void> {
  const undo = parseUndo(record)
  switch (undo.kind) {
    case 'remove-machine-files':
      await (await import('./keep-data.ts')).keepData(workspace, undo.uuid)
      await removeMachineFiles(workspace.connectionPaths, undo.uuid)
      await (await import('./storage-volumes.ts')).removeMachineVolumes(workspace, undo.uuid)
      return
    case 'remove-domain':
      await (await import('./keep-data.ts')).destroyKeepingData(workspace, await workspace.connect(), undo.uuid)
      return
    case 'remove-secret':
      await (await import('../domain/disk-secret.ts')).undefineDiskSecret(await workspace.connect(), undo.uuid)
      return
    case 'remove-data':
      await (await import('./data-file.ts')).removeUnusedData(workspace, undo)
      return
    case 'settle-storage':
      await (await import('./storage-settle.ts')).settleStorage(workspace, undo.storage, undo.ownsFolder === true)
      return
    case 'settle-restore':
      await (await import('./settle-restore.ts')).settleRestore(workspace, undo.uuid, undo.holder)
      return
    case 'stop-domain':
      await (await loadRemoval()).stopOwnDomain(await workspace.connect(), undo.uuid)
      return
    case 'resume-domain':
      await (await import('../domain/snapshot-guest.ts')).resumeDomain(await workspace.connect(), undo.uuid)
      return
    case 'settle-snapshots':
      await (await import('./snapshot-settle.ts')).settleSnapshots(workspace, await workspace.connect(), undo)
      return
    case 'remove-network':
      await (await loadRemoval()).undefineOwnNetwork(await workspace.connect(), undo.uuid)
      await (await loadSilence()).tidySilence(workspace, await workspace.connect())
      return
    case 'release-images':
      workspace.imageReferences.release(undo.holder)
      return
    case 'tidy-sources':
      await (await import('./source-tidy.ts')).tidySources(workspace)
      return
    case 'settle-local':
      await (await import('./local-source.ts')).settleLocalSource(workspace)
      return
    case 'forget-registry':
      await (await import('./source-tidy.ts')).forgetRegistry(workspace, undo.source, undo.registryId)
      return
    case 'remove-medium':
      await rm(mediumPath(workspace.connectionPaths, undo.uuid, undo.suffix), { force: true })
      return
    case 'restore-configuration': {
      const { restoreConfiguration } = await import('../domain/configuration.ts')
      await restoreConfiguration(await workspace.connect(), undo, workspace.outside)
      return
    }
    case 'restore-autostart':
      await (await loadRestore()).restoreAutostart(await workspace.connect(), undo)
      return
    case 'restore-name':
      await (await loadRestore()).restoreName(await workspace.connect(), undo)
      await (await import('./rename-medium.ts')).nameOnMedium(workspace, undo.uuid, undo.name)
      return
    case 'restore-place':
      await (await import('../domain/place.ts')).restorePlace(await workspace.connect(), undo.uuid, undo.place)
      return
    case 'return-card':
      await (await import('../domain/move-card.ts')).returnCard(await workspace.connect(), undo)
      return
    case 'restore-domain':
      await (await loadRestore()).restoreDomain(await workspace.connect(), undo)
      return
    case 'restore-network':
      await (await loadRestore()).restoreNetwork(await workspace.connect(), undo)
      await (await loadSilence()).ensureSilence(workspace, await workspace.connect())
  }
}

/** Loaded when there is something to undo in libvirt: most commands have nothing, and start faster without it. */
async function loadRemoval(): Promise<typeof import('../domain/removal.ts')> {
  return import('../domain/removal.ts')
}

async function loadRestore(): Promise<typeof import('../domain/restore.ts')> {
  return import('../domain/restore.ts')
}

async function loadSilence(): Promise<typeof import('./host-silence.ts')> {
  return import('./host-silence.ts')
}

function parseUndo(record: UndoRecord): Undo {
  switch (record.kind) {
    case 'remove-machine-files':
    case 'remove-secret':
    case 'stop-domain':
    case 'resume-domain':
      return { kind: record.kind, uuid: parseUuid(record['uuid']) }
    case 'remove-data':
      return { kind: record.kind, ...parseDataName(record['name'], record['data']) }
    case 'settle-storage':
      return { kind: record.kind, storage: parseStorage(record['storage']), ownsFolder: record['ownsFolder'] === true }
    case 'settle-restore':
      return { kind: record.kind, uuid: parseUuid(record['uuid']), holder: String(record['holder']) }
    case 'remove-domain':
    case 'remove-network':
      return { kind: record.kind, uuid: parseUuid(record['uuid']), name: String(record['name']) }
    case 'settle-snapshots': {
      const files: readonly unknown[] = Array.isArray(record['files']) ? record['files'] : []
      return { kind: record.kind, uuid: parseUuid(record['uuid']), files: files.map(String) }
    }
    case 'release-images':
      return { kind: record.kind, holder: String(record['holder']) }
    case 'tidy-sources':
    case 'settle-local':
      return { kind: record.kind }
    case 'forget-registry':
      return { kind: record.kind, source: String(record['source']), registryId: String(record['registryId']) }
    case 'remove-medium':
      return { kind: record.kind, uuid: parseUuid(record['uuid']), suffix: parseSuffix(record['suffix']) }
    case 'restore-configuration':
      return {
        kind: record.kind,
        uuid: parseUuid(record['uuid']),
        medium: String(record['medium']),
        rules: parseSha256(String(record['rules'])),
        ...(record['endpoints'] === undefined ? {} : { endpoints: parseEndpoints(record['endpoints']) }),
      }
    case 'restore-autostart':
      return {
        kind: record.kind,
        what: record['what'] === 'network' ? 'network' : 'machine',
        uuid: parseUuid(record['uuid']),
        autostart: record['autostart'] === true,
      }
    case 'restore-name':
      return {
        kind: record.kind,
        uuid: parseUuid(record['uuid']),
        name: String(record['name']),
        xml: String(record['xml']),
      }
    case 'restore-place':
      return { kind: record.kind, uuid: parseUuid(record['uuid']), place: String(record['place']) }
    case 'return-card':
      return {
        kind: record.kind,
        uuid: parseUuid(record['uuid']),
        mac: String(record['mac']),
        network: String(record['network']),
        cidr: String(record['cidr']),
        link: record['link'] === 'up' ? 'up' : 'down',
      }
    case 'restore-domain':
    case 'restore-network':
      return {
        kind: record.kind,
        uuid: parseUuid(record['uuid']),
        name: String(record['name']),
        xml: String(record['xml']),
        autostart: record['autostart'] === true,
        active: record['active'] === true,
      }
    default:
      throw new VmpkgError(
        'STATE_INVALID',
        `The journal asks for an unknown undo step ${JSON.stringify(record.kind)}`,
        {
          hint: 'It was written by a newer vmpkg: use that one.',
        },
      )
  }
}

/** Rules follow from them. */
function parseEndpoints(value: unknown): readonly EndpointContext[] {
  const endpoints = Array.isArray(value) ? value.map(parseEndpoint) : [undefined]
  if (endpoints.every((one) => one !== undefined)) return endpoints
  throw new VmpkgError('STATE_INVALID', 'The journal names endpoints of a tunnel that are none', {
    hint: 'The state database has been damaged: restore it from a backup.',
  })
}

function parseEndpoint(value: unknown): EndpointContext | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { address, protocol, port } = value as Record<string, unknown>
  if (typeof address !== 'string' || !isIPv4(address)) return undefined
  if ((protocol !== 'udp' && protocol !== 'tcp') || typeof port !== 'number') return undefined
  return { address, protocol, port }
}

function parseStorage(value: unknown): Storage {
  const storage = readStorage(value)
  if (storage !== undefined) return storage
  throw new VmpkgError('STATE_INVALID', 'The journal names a storage that is none', {
    hint: 'The state database has been damaged: restore it from a backup.',
  })
}

/** It becomes part of a path, as the UUID does. */
function parseSuffix(value: unknown): string {
  const suffix = String(value)
  if (/^[0-9a-f]{8}$/.test(suffix)) return suffix
  throw new VmpkgError(
    'STATE_INVALID',
    `The journal names ${JSON.stringify(suffix.slice(0, 60))}, which is no medium`,
    {
      hint: 'The state database has been damaged: restore it from a backup.',
    },
  )
}

/** They become part of a path. */
function parseDataName(name: unknown, data: unknown): { readonly name: string; readonly data: string } {
  const [machine, disk] = [String(name), String(data)]
  if (isDomainName(machine) && /^[a-z][a-z0-9]{0,13}$/.test(disk)) return { name: machine, data: disk }
  throw new VmpkgError('STATE_INVALID', 'The journal names a data disk that is none', {
    hint: 'The state database has been damaged: restore it from a backup.',
  })
}

/** It becomes part of a path. */
function parseUuid(value: unknown): string {
  const uuid = String(value)
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return uuid
  throw new VmpkgError('STATE_INVALID', `The journal names ${JSON.stringify(uuid.slice(0, 60))}, which is no UUID`, {
    hint: 'The state database has been damaged: restore it from a backup.',
  })
}
