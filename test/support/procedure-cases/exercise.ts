/** What the cases work with: connections to one daemon, a folder that it can read, and calls that are looked at. */
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Connect } from '../../../src/libvirt/connect.ts'
import type { Domain } from '../../../src/libvirt/domain.ts'
import { LibvirtError } from '../../../src/libvirt/error.ts'
import type { LibvirtStream } from '../../../src/libvirt/stream.ts'
import { bootSector, guestXml } from '../guest-xml.ts'
import { realProcesses } from '../real-processes.ts'
import type { EventWatch } from './events-seen.ts'
import type { Recorder } from './recorder.ts'

/** A daemon that the exercise runs against. */
export interface ExerciseDaemon extends AsyncDisposable {
  /** URI of its QEMU driver. */
  readonly uri: string
  /** URI of its test driver, whose state is in memory; virtqemud has none. */
  readonly testUri: string | undefined
  /** A folder at the same path for the daemon and for this process. */
  readonly folder: string
  /** Writes a file that the daemon and its guests may read and write; returns its path. */
  makeFile(name: string, content: Uint8Array): Promise<string>
  /** A folder of the daemon's user. */
  makeFolder(name: string): Promise<string>
  /** Says what DHCP told a guest, where the network driver looks for it. */
  writeLeases?(bridge: string, leases: string): Promise<void>
  /** Another daemon of the same release on another host, as far as libvirt can tell; its socket is in reach. */
  startPeer?(): Promise<ExerciseDaemon>
  /** Kernel and initrd of a small Linux with qemu-guest-agent in it. */
  readonly agentGuest?: { readonly kernel: string; readonly initrd: string } | undefined
}

export class Exercise {
  readonly daemon: ExerciseDaemon
  readonly connect: Connect
  /** The test driver of the same daemon, where it has one. */
  readonly test: Connect | undefined
  /** The daemon's, as 9000000. */
  readonly version: number
  readonly recorder: Recorder
  readonly events: EventWatch

  constructor(parts: {
    daemon: ExerciseDaemon
    connect: Connect
    test: Connect | undefined
    version: number
    recorder: Recorder
    events: EventWatch
  }) {
    this.daemon = parts.daemon
    this.connect = parts.connect
    this.test = parts.test
    this.version = parts.version
    this.recorder = parts.recorder
    this.events = parts.events
  }

  /** The connections to try a thing on. */
  get connections(): readonly Connect[] {
    return this.test === undefined ? [this.connect] : [this.connect, this.test]
  }

  /** A path in the daemon's folder. */
  at(name: string): string {
    return join(this.daemon.folder, name)
  }

  /** A raw disk with the talking boot sector. */
  bootDisk(name: string): Promise<string> {
    return this.daemon.makeFile(name, bootSector())
  }

  /** A disk that can hold snapshots and checkpoints. */
  async makeQcow2(name: string): Promise<string> {
    const made = join(tmpdir(), `vmpkg-${process.pid}-${name}`)
    try {
      const { exitCode, stderr } = await realProcesses.run('qemu-img', ['create', '-q', '-f', 'qcow2', made, '1M'])
      if (exitCode !== 0) throw new Error(`qemu-img: ${stderr}`)
      return await this.daemon.makeFile(name, await readFile(made))
    } finally {
      await rm(made, { force: true })
    }
  }

  /** A call whose refusal is an answer too: what it gives is checked, an error of the daemon is only recorded. */
  async tries<T>(pending: Promise<T>, check?: (value: T) => unknown): Promise<T | undefined> {
    const row = this.recorder.latest()
    let value: T
    try {
      value = await pending
    } catch (error) {
      if (error instanceof LibvirtError && !error.local) return undefined
      throw error
    }
    if (check !== undefined) {
      await check(value)
      this.recorder.checked(row)
    }
    return value
  }

  /** A call on which others rely. */
  async does<T>(pending: Promise<T>, check: (value: T) => unknown): Promise<T> {
    const row = this.recorder.latest()
    const value = await pending
    await check(value)
    this.recorder.checked(row)
    return value
  }

  /** A domain that is gone after `use`. */
  async withDomain<T>(options: Parameters<typeof guestXml>[0], use: (domain: Domain) => Promise<T>): Promise<T> {
    const domain = await this.connect.domainDefineXML({ xml: guestXml(options) })
    try {
      return await use(domain)
    } finally {
      await endDomain(domain)
    }
  }
}

export async function endDomain(domain: Domain): Promise<void> {
  if (await domain.isActive()) await domain.destroy().catch(() => {})
  await domain.undefine({ flags: ['managedSave', 'snapshotsMetadata', 'checkpointsMetadata'] }).catch(() => {})
}

export async function collect(stream: LibvirtStream): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

export async function readUntil(stream: LibvirtStream, end: string): Promise<string> {
  let text = ''
  while (!text.endsWith(end)) {
    const piece = stream.read() as Buffer | null
    if (piece === null) await new Promise((resolve) => stream.once('readable', resolve))
    else text += piece.toString('latin1')
  }
  return text
}
