/**
 * Where a guest's disks are read: user (for all but root), mount, network, process and IPC namespaces, without a way
 * out; every point in time is there as a file `x/N` that QEMU's storage daemon exports. Readers run without a capability
 * as nobody, with limits on processor time, memory and files. What they write to an export goes to an overlay in a tmpfs.
 *
 * Source: unshare(1), qemu-storage-daemon(1); leak cases L1 and L2. Hostile: everything on the disks.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { VmpkgError } from '../errors.ts'
import type { Processes, RunOptions, RunResult } from '../ports.ts'
import { SANDBOX } from './sandbox-script.ts'

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const START_MS = 60_000
/** Of one reader; a history of many points is one reader. */
const READER_MS = 300_000
const READER_MEMORY = 2 * 1024 ** 3
/** Bytes of the tmpfs: overlays, what journals' replays write, temporary files. */
const STAGE_BYTES = 1024 ** 3

/** A file or block device of a chain, which the storage daemon opens read-only. */
export interface Layer {
  readonly file: string
  readonly format: 'raw' | 'qcow2'
  /** Index of the layer below. */
  readonly backing: number | undefined
  /** A running QEMU writes to it: its locks are left alone. */
  readonly isLive: boolean
  /** A block device, such as a volume of LVM; QEMU has another driver for these. */
  readonly isDevice?: boolean
  /** Number of an internal snapshot in the file, whose content is meant. */
  readonly snapshot?: string
}

/** What to export: the content of a layer with all below it. */
interface Point {
  readonly layer: number
  /** Bytes. */
  readonly virtualSize: number
}

export interface SandboxOptions {
  readonly layers: readonly Layer[]
  /** Exported as `/x/0`, `/x/1`, … */
  readonly points: readonly Point[]
  /** Bytes of an empty qcow2 overlay of that virtual size; what it stands on is not looked at. */
  readonly overlay: (virtualSize: number) => Uint8Array
  /** An existing folder for the stage and temporary files. */
  readonly folder: string
  readonly isRoot: boolean
  readonly processes: Processes
  readonly signal: AbortSignal
}

export interface ReaderOptions extends Pick<RunOptions, 'input' | 'output'> {
  /** Of each of its processes. */
  readonly cpuSeconds: number
}

export class Sandbox implements AsyncDisposable {
  readonly #options: SandboxOptions
  readonly #pid: string
  readonly #stage: string
  readonly #input: PassThrough
  readonly #ended: Promise<unknown>

  private constructor(
    options: SandboxOptions,
    { pid, stage, input, ended }: { pid: string; stage: string; input: PassThrough; ended: Promise<unknown> },
  ) {
    this.#options = options
    this.#pid = pid
    this.#stage = stage
    this.#input = input
    this.#ended = ended
  }

  /** @throws {VmpkgError} `IMAGE_INVALID` where the storage daemon does not take a file, `TOOL_MISSING`, `HOST_UNSUPPORTED` */
  static async open(options: SandboxOptions): Promise<Sandbox> {
    const { isRoot, processes, signal, folder } = options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const work = await mkdtemp(join(folder, 'sandbox-'))
    const stage = join(work, 'stage')
    await mkdir(stage)
    await writeTemplates(work, options)
    const input = new PassThrough()
    const { promise: ready, resolve, reject } = Promise.withResolvers<string>()
    const user = isRoot ? [] : ['--user', '--map-root-user', '--map-auto']
    const spaces = ['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', '--kill-child']
    const script = ['sh', '-c', SANDBOX, 'vmpkg-sandbox', stage, String(STAGE_BYTES), String(options.points.length)]
    const run = async (): Promise<void> => {
      try {
        const words = [...user, ...spaces, '--', ...script, ...daemonArguments(options, stage)]
        const env = { PATH, LANG: 'C.UTF-8', VMPKG_TEMPLATES: work }
        const output = (stdout: AsyncIterable<Uint8Array>): Promise<void> => readReady(stdout, resolve)
        reject(failed(await processes.run('unshare', words, { env, input, signal, output })))
      } catch (error) {
        reject(error)
      } finally {
        await rm(work, { recursive: true, force: true })
      }
    }
    const ended = run()
    const timer = setTimeout(() => {
      input.end()
      reject(new VmpkgError('HOST_UNSUPPORTED', 'The reader of disks did not start in a minute'))
    }, START_MS)
    try {
      return new Sandbox(options, { pid: await ready, stage, input, ended })
    } catch (error) {
      input.end()
      await ended
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Runs a reader inside to its end: as nobody, with no capability, where only programs and exports are. */
  run(argv: readonly [string, ...string[]], options: ReaderOptions): Promise<RunResult> {
    const { cpuSeconds, ...streams } = options
    const { isRoot, processes, signal } = this.#options
    const spaces = [...(isRoot ? [] : ['--user']), '--mount', '--net', '--pid', '--ipc', '--uts']
    const limits = [`--cpu=${cpuSeconds}`, `--as=${READER_MEMORY}`, '--core=0', '--nofile=1024', '--nproc=512']
    const nobody = ['chroot', '--userspec=65534:65534', '--groups=', join(this.#stage, 'root')]
    return processes.run(
      'nsenter',
      ['--target', this.#pid, ...spaces, '--', 'setpriv', '--no-new-privs', 'prlimit', ...limits, ...nobody, ...argv],
      {
        env: { PATH, LANG: 'C.UTF-8', TZ: 'UTC', DEBUGFS_PAGER: '__none__' },
        signal,
        timeoutMs: READER_MS,
        ...streams,
      },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.end()
    await this.#ended
  }
}

/** The first process says its number outside; then it only waits. */
async function readReady(stdout: AsyncIterable<Uint8Array>, resolve: (pid: string) => void): Promise<void> {
  let text = ''
  for await (const chunk of stdout) {
    text += Buffer.from(chunk).toString('latin1')
    const [, pid] = /^ready (\d+)\n/.exec(text) ?? []
    if (pid !== undefined) resolve(pid)
  }
}

/** Overlays of points of one size begin alike: one file for them, and a list of their numbers. */
async function writeTemplates(folder: string, { layers, points, overlay }: SandboxOptions): Promise<void> {
  const bySize = Map.groupBy(points.keys(), (index) => points[index]?.virtualSize ?? 0)
  const internal = layers.flatMap((layer, index) =>
    layer.snapshot === undefined ? [] : [`${index}\t${layer.snapshot}\t${imageOptions(layer)}\n`],
  )
  await writeFile(join(folder, 'internal'), internal.join(''))
  for (const [virtualSize, indices] of bySize) {
    await writeFile(join(folder, `${virtualSize}.qcow2`), overlay(virtualSize))
    await writeFile(join(folder, `${virtualSize}.list`), indices.join('\n'))
  }
}

/** The storage daemon cannot open an internal snapshot, qemu-nbd can. It follows the headers, which were read before. */
function imageOptions(layer: Layer): string {
  const { file, isLive } = layer
  const share = isLive ? ',force-share=on' : ''
  return `driver=qcow2${share},file.driver=${driverOf(layer)},file.filename=${file.replaceAll(',', ',,')}`
}

function driverOf({ isDevice = false }: Layer): 'file' | 'host_device' {
  return isDevice ? 'host_device' : 'file'
}

/** Every node by name, every format as it is known: nothing is probed, and no file name in a header is followed. */
function daemonArguments({ layers, points }: SandboxOptions, stage: string): string[] {
  const node = (value: object): string[] => ['--blockdev', JSON.stringify(value)]
  const cache = { 'l2-cache-size': 1024 * 1024 }
  return [
    ...layers.flatMap((layer, index) => {
      const { file, format, backing, isLive, snapshot } = layer
      if (snapshot !== undefined) {
        const server = { type: 'unix', path: `nbd-${index}` }
        return node({ driver: 'nbd', 'node-name': `layer${index}`, server, 'read-only': true })
      }
      return [
        ...node({
          driver: driverOf(layer),
          'node-name': `file${index}`,
          filename: file,
          'read-only': true,
          ...(isLive && { 'force-share': true }),
        }),
        ...node({
          driver: format,
          'node-name': `layer${index}`,
          file: `file${index}`,
          'read-only': true,
          ...(isLive && { 'force-share': true }),
          ...(format === 'qcow2' && { ...cache, backing: backing === undefined ? null : `layer${backing}` }),
        }),
      ]
    }),
    ...points.flatMap(({ layer }, index) => [
      ...node({ driver: 'file', 'node-name': `scratch${index}`, filename: join(stage, 'overlays', String(index)) }),
      ...node({
        driver: 'qcow2',
        'node-name': `point${index}`,
        file: `scratch${index}`,
        backing: `layer${layer}`,
        ...cache,
      }),
      '--export',
      `type=fuse,id=export${index},node-name=point${index},mountpoint=${join(stage, 'root', 'x', String(index))},writable=on,allow-other=on`,
    ]),
  ]
}

function failed({ exitCode, stderr }: RunResult): VmpkgError {
  const said = JSON.stringify(stderr.trim().slice(-400))
  if (/qemu-storage-daemon: not found|failed to execute qemu-storage-daemon|exec.*qemu-storage-daemon/i.test(stderr))
    return new VmpkgError('TOOL_MISSING', 'The program qemu-storage-daemon is not there', {
      hint: 'Install it with: apt install qemu-system-common',
    })
  if (exitCode !== 0 && !stderr.includes('qemu-storage-daemon:'))
    return new VmpkgError('HOST_UNSUPPORTED', `The sandbox for reading disks cannot be made: ${said}`, {
      hint: 'It needs user namespaces, newuidmap (package uidmap) with a range in /etc/subuid, and /dev/fuse.',
    })
  return new VmpkgError('IMAGE_INVALID', `A disk cannot be opened: ${said}`, {
    hint: 'Look whether the files of its chain are all there and readable: qemu-img info --backing-chain FILE',
  })
}
