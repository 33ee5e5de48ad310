/**
 * `data attach`, `data detach`: a data disk that nobody has is given to another machine, and taken from it again. It is an
 * ordinary disk of libvirt's, in one call each; the file keeps its name, by which it is known whose it was.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { VmpkgError } from '../errors.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { parseDomainName } from '../model/name.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import { type DataName, type DataVolume, findData as findVolume, usersOfData } from './data-file.ts'
import { writeIntoData } from './keep-data.ts'
import { findManifest } from './package-store.ts'
import { needStorageKey } from './storage-key.ts'
import type { Workspace } from './workspace.ts'

export interface DataPlace extends DataName {
  /** Who has it, or had it. */
  readonly machine: string
  readonly file: string
  /** `vmpkg-home`: by which the guest finds it. */
  readonly serial: string
  /** `vdb`. */
  readonly target: string
  readonly running: boolean
  readonly dryRun: boolean
}

interface AttachRequest {
  /** `MACHINE/DATA`. */
  readonly disk: string
  readonly machine: string
  /** For the serial number, in place of the disk's own. */
  readonly as: string | undefined
  readonly dryRun: boolean
}

/** Of virtio: the serial number has 20 bytes. */
const SERIAL = /^[a-z][a-z0-9]{0,13}$/
const LETTERS = Array.from({ length: 26 }, (_, i) => String.fromCodePoint(97 + i))
const POLL_MS = 200
const PATIENCE_MS = 20_000

/**
 * @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `DOMAIN_STATE` where somebody has it, or the machine is one
 *   that cannot get a disk now
 */
export async function attachData(workspace: Workspace, request: AttachRequest): Promise<DataPlace> {
  const name = await findData(workspace, request.disk)
  const machine = await getMachine(await workspace.connect(), request.machine)
  await requireOwnChain(machine)
  const [user] = await usersOfData(workspace, name)
  if (user !== undefined) {
    throw new VmpkgError('DOMAIN_STATE', `${user.name} has the data disk ${name.data} of ${name.name}`, {
      hint: `vmpkg data detach ${request.disk} takes it away first, where it was attached.`,
    })
  }
  const serial = `vmpkg-${parseSerial(request.as ?? name.data)}`
  const { root } = parseXml(machine.xml)
  if (findElements(root, 'devices/disk/serial').some((one) => getText(one).trim() === serial)) {
    throw new VmpkgError('USAGE', `${machine.name} has a disk with the serial number ${serial} already`, {
      hint: 'Give it another one: --as NAME.',
    })
  }
  const running = await machine.domain.isActive()
  const { name: owner, data, path: file, storage } = name
  const taken = findElements(root, 'devices/disk/target').map((one) => getAttribute(one, 'dev'))
  const letter = LETTERS.find((one) => !taken.includes(`vd${one}`))
  if (letter === undefined) throw new VmpkgError('DOMAIN_STATE', `${machine.name} has no place for another disk`)
  const target = `vd${letter}`
  const place = { name: owner, data, machine: machine.name, file, serial, target, running, dryRun: request.dryRun }
  if (request.dryRun) return place
  const isDevice = storage !== undefined && storage.type !== 'dir'
  const secret = storage?.isEncrypted === true ? `<secret type='passphrase' uuid='${escapeXml(storage.uuid)}'/>` : ''
  const encryption = secret === '' ? '' : `<encryption format='luks'>${secret}</encryption>`
  if (running && storage?.isEncrypted === true) {
    ;(await needStorageKey(workspace, await workspace.connect(), storage)).fill(0)
  }
  const xml = `<disk type='${isDevice ? 'block' : 'file'}' device='disk'>
  <driver name='qemu' type='qcow2' discard='unmap'/>
  <source ${isDevice ? 'dev' : 'file'}='${escapeXml(file)}'>${encryption}</source>
  <target dev='${target}' bus='virtio'/>
  <serial>${serial}</serial>
</disk>`
  await machine.domain
    .attachDevice({ xml, flags: running ? ['live', 'config'] : ['config'] })
    .catch((error: unknown) => explainRunning(error, machine, running))
  return place
}

/**
 * From the machine that it was attached to. A guest that runs has to let it go first: it is waited for.
 * @throws {VmpkgError} `USAGE` for a disk that its machine’s package declares, or that nobody has; `DOMAIN_STATE` `ABORTED`
 */
export async function detachData(
  workspace: Workspace,
  { disk: word, dryRun }: { readonly disk: string; readonly dryRun: boolean },
): Promise<DataPlace> {
  const name = await findData(workspace, word)
  const { name: owner, data, path: file } = name
  const machines = await listMachines(await workspace.connect())
  const machine = machines.find(({ xml }) => diskOf(xml, file) !== undefined)
  if (machine === undefined) {
    const [user] = await usersOfData(workspace, name)
    throw new VmpkgError('USAGE', `No machine has ${word}${user === undefined ? '' : ' as a disk of its own'}`, {
      hint:
        user === undefined
          ? 'vmpkg data list tells who has which.'
          : `Snapshots of ${user.name} stand on it: vmpkg snapshot list ${user.name}`,
    })
  }
  await requireOwnChain(machine)
  const manifest = name.name === machine.name ? await findManifest(workspace, machine.facts.digest) : undefined
  if (manifest?.data?.[name.data] !== undefined) {
    throw new VmpkgError('USAGE', `${machine.name} does not start without its data disk ${name.data}`, {
      hint: `Its package declares it. vmpkg rm ${machine.name} keeps the disk, and frees it for another machine.`,
    })
  }
  const running = await machine.domain.isActive()
  const found = diskOf(machine.xml, file)
  const target = (found && getAttribute(findElement(found, 'target') ?? found, 'dev')) ?? ''
  const serial = found === undefined ? '' : getText(findElement(found, 'serial') ?? found).trim()
  const place = { name: owner, data, machine: machine.name, file, serial, target, running, dryRun }
  const top = found === undefined ? undefined : sourceOf(found)
  if (running && top !== file) {
    throw new VmpkgError('DOMAIN_STATE', `What ${machine.name} wrote since a snapshot is not on the disk itself yet`, {
      hint: `vmpkg stop ${machine.name} first: then it is written there.`,
    })
  }
  if (dryRun || found === undefined || top === undefined) return place
  if (running) await detachLive(workspace, machine, file)
  const removeLayers = top === file ? undefined : await writeIntoData(workspace, name, top)
  const stored = diskOf(await machine.domain.getXMLDesc({ flags: ['inactive'] }), file)
  if (stored !== undefined) await machine.domain.detachDevice({ xml: formatXml(stored), flags: ['config'] })
  await removeLayers?.()
  return place
}

async function detachLive(workspace: Workspace, { domain, name }: Machine, file: string): Promise<void> {
  const live = diskOf(await domain.getXMLDesc(), file)
  if (live === undefined) return
  await domain.detachDevice({ xml: formatXml(live), flags: ['live'] }).catch((error: unknown) => {
    if (!(error instanceof LibvirtError)) throw error
  })
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    throwIfAborted(workspace.outside.signal)
    if (diskOf(await domain.getXMLDesc(), file) === undefined) return
    await sleep(POLL_MS)
  }
  throw new VmpkgError('DOMAIN_STATE', `The guest of ${name} does not let the disk go`, {
    hint: `Unmount it inside, or vmpkg stop ${name} first. It has the disk still.`,
  })
}

/** The disk that is that file, or stands on it. */
function diskOf(xml: string, file: string): XmlElement | undefined {
  return findElements(parseXml(xml).root, 'devices/disk').find((disk) => {
    for (let at: XmlElement | undefined = disk; at !== undefined; at = findElement(at, 'backingStore')) {
      if (sourceOf(at) === file) return true
    }
    return false
  })
}

function sourceOf(disk: XmlElement): string | undefined {
  const source = findElement(disk, 'source')
  return source && (getAttribute(source, 'file') ?? getAttribute(source, 'dev'))
}

async function findData(workspace: Workspace, word: string): Promise<DataVolume> {
  const [machine = '', data = '', ...more] = word.split('/')
  const name = { name: parseDomainName(machine), data }
  const found = more.length === 0 && SERIAL.test(data) ? await findVolume(workspace, name) : undefined
  if (found !== undefined) return found
  throw new VmpkgError('USAGE', `There is no data disk ${JSON.stringify(word.slice(0, 80))}`, {
    hint: 'vmpkg data list shows them, as MACHINE/DATA.',
  })
}

function parseSerial(text: string): string {
  if (SERIAL.test(text)) return text
  throw new VmpkgError('USAGE', `${JSON.stringify(text.slice(0, 40))} is no name for a data disk`, {
    hint: 'A letter, then letters and digits, at most 14.',
  })
}

/** A snapshot knows the disks that were there. */
async function requireOwnChain({ name, facts, domain }: Machine): Promise<void> {
  if (facts.kind === 'router' || facts.ephemeral) {
    throw new VmpkgError(
      'USAGE',
      `${name} is ${facts.kind === 'router' ? 'a router' : 'ephemeral'}: it keeps no data`,
      {
        hint: 'Data disks are for machines that stay.',
      },
    )
  }
  const snapshots = await domain.listAllSnapshots()
  if (snapshots.length === 0) return
  throw new VmpkgError('DOMAIN_STATE', `${name} has ${snapshots.length} snapshots, which know the disks of then`, {
    hint: `Delete them first: vmpkg snapshot list ${name}`,
  })
}

function explainRunning(error: unknown, { name }: Machine, running: boolean): never {
  if (!running || !(error instanceof LibvirtError)) throw error
  throw new VmpkgError('DOMAIN_STATE', `${name} runs and takes no disk now: ${error.message.slice(0, 200)}`, {
    hint: `vmpkg stop ${name} first.`,
    cause: error,
  })
}
