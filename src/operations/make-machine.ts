/** Makes one machine as it was planned: its overlay, key, medium and domain. */
import { dirname } from 'node:path'
import { defineDiskSecret } from '../domain/disk-secret.ts'
import { newUuid } from '../domain/identity.ts'
import { writeMedium } from '../domain/medium.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { makeFolder } from '../durable-file.ts'
import { formatLuksHeader, newPassphrase } from '../image/luks-header.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Transaction } from '../state/journal.ts'
import { together } from '../together.ts'
import { createData } from './data-disks.ts'
import { type EphemeralMode, listEphemeralGaps } from './ephemeral.ts'
import { hideQemuLog } from './machine-files.ts'
import { beginPreflight } from './preflight.ts'
import { intend } from './recover.ts'
import type { GuestFiles, MachineInput } from './render-machine.ts'
import { prepareStart, START_PREFLIGHT } from './start.ts'
import { cloneHolder } from './stop.ts'
import { makeVolume, volumeOf } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

/** What there is to make, as rendered. */
export interface PlannedMachine {
  readonly input: MachineInput
  readonly result: { readonly name: string; readonly uuid: string; readonly xml: string }
  readonly guest: GuestFiles | undefined
}

/** Which of its files are durable, and whether and how it starts. */
export interface MakeOptions {
  readonly ephemeral: boolean
  readonly start: boolean
  /** It ends with this connection. */
  readonly autodestroy?: boolean | undefined
}

/** Each step is intended before it is done. */
export async function makeMachine(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  planned: PlannedMachine,
  request: MakeOptions,
  mode: EphemeralMode | undefined,
): Promise<void> {
  const { signal, emit } = workspace.outside
  const { input, guest } = planned
  const { name, uuid, xml } = planned.result
  const { images } = input.pkg.line
  const fresh = input.overlay === undefined ? [] : [input.overlay.path]
  const stage = request.start ? START_PREFLIGHT : ({ until: 'define' } as const)
  const finishPreflight = beginPreflight(workspace, connect, xml, { ...stage, fresh })
  const removal = { kind: 'remove-domain', uuid, name: request.ephemeral ? '' : name } as const
  // A data disk is intended between the two, and goes after the domain.
  const hasData = (input.data ?? []).length > 0
  intend(
    transaction,
    { kind: 'remove-machine-files', uuid },
    { kind: 'release-images', holder: cloneHolder(uuid) },
    ...(mode === 'encrypted' ? [{ kind: 'remove-secret', uuid } as const] : []),
    ...(hasData ? [] : [removal]),
  )
  workspace.imageReferences.hold(cloneHolder(uuid), images)
  await makeFolder(dirname(input.medium))
  await together([
    makeDisks(workspace, connect, transaction, planned, request, mode),
    writeMedium({ files: guest?.files ?? new Map(), target: input.medium }),
  ])
  throwIfAborted(signal)
  if (hasData) intend(transaction, removal)
  if (request.start) await prepareStart(workspace, connect, xml, finishPreflight)
  else await finishPreflight()
  if (mode !== undefined) {
    const isLogHidden = await hideQemuLog(workspace.connectionPaths, uuid, name)
    const lock = input.lock ?? { isLocked: false }
    for (const gap of await listEphemeralGaps(workspace, mode, { isLogHidden, lock })) {
      emit({ type: 'noted', message: `Of ${name} this may outlast it on this host: ${gap}` })
    }
    const flags = request.autodestroy === true ? (['validate', 'autodestroy'] as const) : (['validate'] as const)
    await explained(workspace, connect, xml, connect.domainCreateXML({ xml, flags: [...flags] }))
    return
  }
  const domain = await explained(workspace, connect, xml, connect.domainDefineXML({ xml, flags: ['validate'] }))
  if (request.start) await domain.create()
}

/** Its own, and data disks that are not there yet. */
async function makeDisks(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  { input, result: { name, uuid } }: PlannedMachine,
  request: MakeOptions,
  mode: EphemeralMode | undefined,
): Promise<void> {
  const disk = input.pkg.line.images.find(({ role }) => role === 'disk')
  if (input.overlay !== undefined && disk !== undefined) {
    const { path, base: backing } = input.overlay
    const volume = { path, backing, virtualSize: Math.ceil(disk.size / 512) * 512 }
    const storage = request.ephemeral ? undefined : volumeOf(workspace.connectionPaths, path)
    if (storage === undefined) {
      const key = mode === 'encrypted' ? { luks: await makeKey(workspace, connect, uuid, path) } : {}
      await writeOverlay({ ...volume, isDurable: !request.ephemeral, ...key })
    } else await makeVolume(workspace, storage, volume)
  }
  await createData(workspace, transaction, name, input.data ?? [])
}

/**
 * libvirt judges what it is given anyway. Only what it refuses is held against its schema here, to say what is wrong and
 * where: reading that takes as long as all else together.
 */
async function explained<T>(workspace: Workspace, connect: Connect, xml: string, made: Promise<T>): Promise<T> {
  try {
    return await made
  } catch (error) {
    if (error instanceof LibvirtError) {
      const { validateDefinition } = await import('./validate-definition.ts')
      await validateDefinition(workspace, connect, 'domain', xml)
    }
    throw error
  }
}

/** Its passphrase is known to libvirt and QEMU alone once this is over. */
async function makeKey(workspace: Workspace, connect: Connect, uuid: string, overlay: string): Promise<Buffer> {
  const { randomness } = workspace.outside
  const passphrase = newPassphrase(randomness)
  await defineDiskSecret(connect, { uuid, overlay, passphrase })
  const header = formatLuksHeader(passphrase, newUuid(randomness), randomness)
  passphrase.fill(0)
  return header
}
