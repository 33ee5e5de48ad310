/**
 * A host to give PCI devices away on, on any machine: a Debian 12 guest with an emulated IOMMU, its own kernel, a system
 * libvirt and QEMU, and vmpkg. QEMU runs it without KVM (TCG) in an empty network namespace, so no packet leaves; it
 * ends with this process at the latest. On its PCI bus:
 *
 * - `wanAddress`: a card alone in its IOMMU group. At its other end a network with a DHCP server (10.0.2.2) and a web
 *   server (10.0.2.100), both inside QEMU; what passes there is kept as a capture.
 * - `sharedAddresses`: two conventional cards behind one bridge, so in one group with it.
 *
 * Interrupts are not remapped (QEMU's emulation would need more than TCG has), hence vfio needs
 * `vfio_iommu_type1.allow_unsafe_interrupts=1` there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { passthroughImage } from './passthrough-image.ts'
import { makePassthroughPayload } from './passthrough-payload.ts'
import { realProcesses } from './real-processes.ts'

const BOOT_LIMIT_MS = 240_000
const MEMORY_MIB = 2048
/** Else a virtio device writes past the IOMMU, and VFIO has no use for it. */
const BEHIND_IOMMU = 'iommu_platform=on,disable-legacy=on,ats=on'
/** The kernel's KVM would use TCG's emulation of AMD's virtualization, and a guest of it stops the whole machine. */
const COMMAND_LINE =
  'root=/dev/vda rw rootfstype=ext4 init=/init console=ttyS0 intel_iommu=on module_blacklist=kvm,kvm_amd panic=1 quiet'
/** Before others who want the processor: a guest of this machine gets a fortieth of it as it is. */
const PREFERRED = 'ip link set lo up || exit; { echo -10 >/proc/self/autogroup; } 2>/dev/null; exec nice -n -10 "$@"'

export const WAN_ADDRESS = '0000:01:00.0'
export const WAN_MAC = '52:54:00:00:00:11'
export const SHARED_ADDRESSES = ['0000:03:01.0', '0000:03:02.0'] as const
/** What the web server at 10.0.2.100 gives. */
export const PAGE = 'from beyond the passed-through card'

interface JobResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface PassthroughHost extends AsyncDisposable {
  /** Runs a shell script as root to its end. */
  run(script: string, limitMs?: number): Promise<JobResult>
  /** Turns it off and on; its disk stays as it is. */
  restart(): Promise<void>
  /** What the serial console showed since it was last turned on. */
  serial(): Promise<string>
  /** What passed the other end of the WAN card, as a capture of tcpdump's format. */
  wanCapture(): Promise<Buffer>
}

/**
 * @param templates folders of templates/ whose packages a registry at /opt/registry has
 * @param spareMib size of an empty disk, `/dev/disk/by-id/virtio-spare`; none for 0
 */
export async function startPassthroughHost(templates: readonly string[] = [], spareMib = 0): Promise<PassthroughHost> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-pt-'))
  let machine: Machine | undefined
  const dispose = async (): Promise<void> => {
    await machine?.end()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const image = await passthroughImage()
    const payload = await makePassthroughPayload(folder, templates)
    const overlay = join(folder, 'disk.qcow2')
    const made = await realProcesses.run(
      'qemu-img',
      'create -q -f qcow2 -F raw -b'.split(' ').concat(image.disk, overlay),
    )
    if (made.exitCode !== 0) throw new Error(made.stderr)
    const page = join(folder, 'page')
    const head = `HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: ${PAGE.length + 1}\r\n\r\n`
    await writeFile(page, `${head}${PAGE}\n`)
    const args = ['-kernel', image.kernel, '-initrd', image.initrd, ...machineArguments(folder, overlay, payload, page)]
    if (spareMib > 0) args.push(...(await makeSpare(folder, spareMib)))
    machine = await startMachine(folder, args)
    return {
      run: async (script, limitMs = 120_000) => {
        if (machine === undefined) throw new Error('the host is off')
        return machine.run(script, limitMs)
      },
      restart: async () => {
        await machine?.run('sync', 60_000)
        await machine?.end()
        machine = await startMachine(folder, args)
      },
      serial: () => readFile(join(folder, 'serial.log'), 'latin1'),
      wanCapture: () => readFile(join(folder, 'wan.pcap')),
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function makeSpare(folder: string, mebibytes: number): Promise<readonly string[]> {
  const file = join(folder, 'spare.raw')
  await writeFile(file, '')
  await truncate(file, mebibytes * 1024 * 1024)
  return ['-drive', `file=${file},format=raw,if=none,id=spare`, '-device', 'virtio-blk-pci,drive=spare,serial=spare']
}

function machineArguments(folder: string, overlay: string, payload: string, page: string): string[] {
  const flags = '-machine q35 -accel tcg,thread=multi -cpu qemu64 -smp 2 -nodefaults -nographic -no-reboot'.split(' ')
  flags.push('-m', String(MEMORY_MIB), '-append', COMMAND_LINE)
  const devices = [
    // Before every other device: QEMU builds the DMA address spaces of those that come after it.
    ['-device', 'intel-iommu,caching-mode=on,intremap=off,device-iotlb=on'],
    ['-drive', `file=${overlay},format=qcow2,if=none,id=root`, '-device', 'virtio-blk-pci,drive=root'],
    ['-drive', `file=${payload},format=raw,readonly=on,if=none,id=opt`],
    ['-device', 'virtio-blk-pci,drive=opt,serial=payload', '-device', 'virtio-rng-pci'],
    ['-serial', `file:${join(folder, 'serial.log')}`, '-device', 'virtio-serial-pci'],
    ['-chardev', `socket,id=jobs,path=${join(folder, 'jobs.sock')},server=on,wait=off`],
    ['-device', 'virtserialport,chardev=jobs,name=org.vmpkg.test'],
    ['-device', 'pcie-root-port,id=port1,chassis=1'],
    ['-netdev', `user,id=wan,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:cat ${page}`],
    ['-device', `virtio-net-pci,bus=port1,netdev=wan,mac=${WAN_MAC},romfile=,${BEHIND_IOMMU}`],
    ['-object', `filter-dump,id=capture,netdev=wan,file=${join(folder, 'wan.pcap')}`],
    ['-device', 'pcie-root-port,id=port2,chassis=2', '-device', 'pcie-pci-bridge,bus=port2,id=bridge'],
    ['-netdev', 'hubport,id=spare1,hubid=1', '-device', 'e1000,bus=bridge,addr=1,netdev=spare1'],
    ['-netdev', 'hubport,id=spare2,hubid=2', '-device', 'e1000,bus=bridge,addr=2,netdev=spare2'],
  ]
  return [...flags, ...devices.flat()]
}

interface Machine {
  run(script: string, limitMs: number): Promise<JobResult>
  end(): Promise<void>
}

async function startMachine(folder: string, args: readonly string[]): Promise<Machine> {
  const inside = ['unshare', '-n', 'sh', '-c', PREFERRED, 'sh', 'qemu-system-x86_64', ...args]
  // A session of its own, for Linux weighs sessions first (autogroup).
  const child = spawn('setpriv', ['--pdeathsig=KILL', ...inside], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  try {
    const socket = await connectWhenThere(join(folder, 'jobs.sock'), child)
    const lines = createInterface(socket)[Symbol.asyncIterator]()
    const next = async (what: string, limitMs: number): Promise<string> => {
      const limit = AbortSignal.timeout(limitMs)
      const late = once(limit, 'abort').then(() => ({ value: undefined, done: true as const }))
      const { value } = await Promise.race([lines.next(), late])
      if (value !== undefined) return value
      throw new Error(`${what}: ${limit.aborted ? `no answer in ${limitMs / 1000} s` : `the host ended. ${complaint}`}`)
    }
    while ((await next('the host did not start', BOOT_LIMIT_MS)).trim() !== 'ready');
    let jobs = 0
    return {
      async run(script, limitMs) {
        const id = String(++jobs)
        socket.write(`${id} ${Buffer.from(script).toString('base64')}\n`)
        for (;;) {
          const [answered, status = '', stdout = '', stderr = ''] = (await next(script, limitMs)).split(' ')
          if (answered !== id) continue
          const text = (encoded: string): string => Buffer.from(encoded, 'base64').toString()
          return { status: Number(status), stdout: text(stdout), stderr: text(stderr) }
        }
      },
      async end() {
        socket.destroy()
        await end()
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** QEMU makes the socket; the guest opens the port on its end much later, and nothing sent before is lost. */
async function connectWhenThere(path: string, child: ChildProcess): Promise<Socket> {
  while (child.exitCode === null) {
    const socket = connect(path)
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    if (isOpen) return socket
    await wait(50)
  }
  throw new Error('QEMU ended at once')
}
