/** A guest under plain QEMU (TCG) in an empty network namespace: no libvirt, and no packet can leave the machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { PackageImage } from '../../src/model/line.ts'
import { verityArgument } from '../../src/model/verity.ts'

export interface BareGuest {
  /** The next line on the agent's channel, parsed. */
  readLine(): Promise<Readonly<Record<string, unknown>>>
  write(text: string): void
  /** Sends a QMP command and waits for its answer. */
  control(command: string, args?: Readonly<Record<string, unknown>>): Promise<void>
  /** The text that the serial console has shown so far. */
  serial(): string
  typeLine(text: string): void
  readonly ended: Promise<unknown>
}

export interface BareGuestOptions {
  /** Sockets and logs; exists. */
  readonly folder: string
  readonly boot:
    | { readonly kernel: string; readonly initrd: string; readonly commandLine: string }
    /** Firmware and the machine's own copy of its variables: the disk boots by itself. */
    | { readonly code: string; readonly variables: string }
  /** Default 160. */
  readonly memoryMib?: number
  readonly disk: { readonly file: string; readonly format: 'raw' | 'qcow2'; readonly readonly: boolean }
  /** Raw disks beside the first, which the guest knows by their serial numbers. */
  readonly data?: readonly { readonly file: string; readonly serial: string }[]
  readonly medium: string
  /** `-netdev` values with the id `n0`, `n1`, …, and the MAC of the card on each. */
  readonly nics: readonly { readonly netdev: string; readonly mac: string }[]
}

/** What the kernel's command line says of the root among these images. */
export function verityWord(images: readonly Pick<PackageImage, 'verityRoot' | 'size'>[]): string {
  const argument = images.map(verityArgument).find((one) => one !== undefined)
  if (argument === undefined) throw new Error('no image has a root hash')
  return `verity=${argument}`
}

export async function startBareGuest(t: Pick<TestContext, 'after'>, options: BareGuestOptions): Promise<BareGuest> {
  const at = (name: string): string => join(options.folder, name)
  const { disk } = options
  const cards = options.nics.flatMap(({ netdev, mac }, index) => {
    return ['-netdev', netdev, '-device', `virtio-net-pci,netdev=n${index},mac=${mac},romfile=`]
  })
  const args = '-machine q35,accel=tcg -cpu qemu64 -nographic -nodefaults -no-reboot'.split(' ')
  args.push('-m', String(options.memoryMib ?? 160), ...bootArguments(options.boot))
  args.push('-drive', `file=${disk.file},format=${disk.format},if=none,id=d${disk.readonly ? ',readonly=on' : ''}`)
  args.push('-device', 'virtio-blk-pci,drive=d', '-device', 'virtio-scsi-pci', '-device', 'virtio-rng-pci')
  for (const [index, { file, serial }] of (options.data ?? []).entries()) {
    args.push('-drive', `file=${file},format=raw,if=none,id=x${index}`)
    args.push('-device', `virtio-blk-pci,drive=x${index},serial=${serial}`)
  }
  args.push('-drive', `file=${options.medium},format=raw,if=none,id=c,readonly=on`, '-device', 'scsi-cd,drive=c,id=cd')
  args.push('-chardev', `socket,id=s,path=${at('serial.sock')},server=on,wait=off,logfile=${at('serial.log')}`)
  args.push('-serial', 'chardev:s', '-device', 'virtio-serial-pci')
  args.push('-chardev', `socket,id=a,path=${at('agent.sock')},server=on,wait=off`)
  args.push('-device', 'virtserialport,chardev=a,name=org.vmpkg.agent.0')
  args.push('-qmp', `unix:${at('qmp.sock')},server=on,wait=off`, ...cards)
  // User-mode networking talks to its helpers over the loopback of its own namespace.
  const inNamespace = ['-r', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', 'qemu-system-x86_64']
  const child = spawn('unshare', [...inNamespace, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'exit')
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
    await ended
  })
  const open = async (name: string): Promise<Socket> => {
    const socket = await connectWhenThere(at(name))
    sockets.push(socket)
    return socket
  }
  const qmp = await open('qmp.sock')
  const answers = lines(qmp)
  const control: BareGuest['control'] = async (command, parameters = {}) => {
    qmp.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`)
    for (;;) {
      const answer = await answers.next()
      if (answer['error'] !== undefined) throw new Error(JSON.stringify(answer['error']))
      if (answer['return'] !== undefined) return
    }
  }
  await control('qmp_capabilities')
  const console = await open('serial.sock')
  console.resume()
  const agent = await open('agent.sock')
  const replies = lines(agent)
  return {
    readLine: async () => replies.next(),
    write: (text) => void agent.write(Buffer.from(text, 'latin1')),
    control,
    serial: () => readFileSync(at('serial.log'), 'latin1'),
    typeLine: (text) => void console.write(`${text}\n`),
    ended,
  }
}

function bootArguments(boot: BareGuestOptions['boot']): string[] {
  if ('kernel' in boot) return ['-kernel', boot.kernel, '-initrd', boot.initrd, '-append', boot.commandLine]
  const flash = ['-drive', `if=pflash,format=raw,readonly=on,file=${boot.code}`]
  flash.push('-drive', `if=pflash,format=raw,file=${boot.variables}`)
  return flash
}

function lines(socket: Socket): { next(): Promise<Readonly<Record<string, unknown>>> } {
  const reader: Interface = createInterface(socket)
  const iterator = reader[Symbol.asyncIterator]()
  return {
    async next() {
      const { value, done } = await iterator.next()
      if (done === true) throw new Error('the channel closed')
      return JSON.parse(value) as Readonly<Record<string, unknown>>
    },
  }
}

/** Waits at most ten seconds for QEMU to make the socket. */
async function connectWhenThere(path: string): Promise<Socket> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(path)
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).on('error', () => resolve(false))
    })
    if (isOpen) return socket
    await wait(50)
  }
  throw new Error(`no socket ${path}`)
}
