/**
 * Whether KVM really runs guests here. That /dev/kvm exists proves nothing: it may be closed to QEMU's user, QEMU may
 * abort on a processor setting, and some software KVM (pvm) resets every ordinary guest for ever. So a guest runs.
 *
 * The verdict is cached until the machine boots again, or the kernel, QEMU, the device or the user is another.
 */
import { access, constants, mkdir, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { release, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Processes } from '../ports.ts'
import { formatProbeFirmware, PROBE_EXIT_CODE } from './kvm-probe-guest.ts'
import { readBootId } from './process-identity.ts'
import { SYSTEM_PATH } from './tools.ts'

export interface KvmVerdict {
  readonly usable: boolean
  /** One sentence, for `doctor` and for the choice of the domain's type. */
  readonly reason: string
}

export interface KvmProbeOptions {
  /** Path of qemu-system-x86_64. */
  readonly qemu: string
  /** Folder of the cached verdict; made when missing. */
  readonly cacheDir: string
  /** Default `/dev/kvm`. */
  readonly device?: string
  readonly processes: Processes
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 5_000 // the guest needs under 0.2 s, under TCG too
const verdictSchema = z.object({ key: z.string(), usable: z.boolean(), reason: z.string() })

/** Runs a guest when no cached verdict fits; never throws for a KVM that does not work. @throws {VmpkgError} `ABORTED` */
export async function probeKvm(options: KvmProbeOptions): Promise<KvmVerdict> {
  const device = options.device ?? '/dev/kvm'
  const closed = await access(device, constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? 'EACCES',
  )
  if (closed === 'ENOENT') return { usable: false, reason: `${device} does not exist` }
  if (closed !== undefined) return { usable: false, reason: `${device} is closed to this user (group kvm opens it)` }

  const key = await describeMachine(options.qemu, device)
  const path = join(options.cacheDir, 'kvm-probe.json')
  const cached = verdictSchema.safeParse(parseJson(await readFile(path, 'utf8').catch(() => '')))
  if (cached.success && cached.data.key === key) return { usable: cached.data.usable, reason: cached.data.reason }

  const verdict = await runProbeGuest({ ...options, accelerator: 'kvm', cpu: 'host' })
  await mkdir(options.cacheDir, { recursive: true })
  const temporary = await mkdtemp(`${path}-`)
  await writeFile(join(temporary, 'verdict'), JSON.stringify({ key, ...verdict }))
  await rename(join(temporary, 'verdict'), path)
  await rm(temporary, { recursive: true })
  return verdict
}

/** Everything that can change the verdict. */
async function describeMachine(qemu: string, device: string): Promise<string> {
  const binary = await realpath(qemu)
  const { mtimeMs, size } = await stat(binary)
  const node = await stat(device)
  const facts = [await readBootId(), release(), binary, mtimeMs, size, node.rdev, node.mode, userInfo().uid]
  return facts.join(' ')
}

export interface ProbeGuestOptions {
  readonly qemu: string
  readonly accelerator: 'kvm' | 'tcg'
  /** QEMU's `-cpu`; `host` is what domains under KVM get. */
  readonly cpu: string
  readonly processes: Processes
  readonly signal?: AbortSignal
}

/** Runs the probe's guest once, without any cache. @throws {VmpkgError} `ABORTED` */
export async function runProbeGuest(options: ProbeGuestOptions): Promise<KvmVerdict> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-probe-'))
  try {
    const firmware = join(folder, 'firmware')
    await writeFile(firmware, formatProbeFirmware())
    const machine = ['-machine', 'q35', '-accel', options.accelerator, '-cpu', options.cpu, '-m', '32']
    const bare = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-bios', firmware]
    const exit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4']
    const begin = performance.now()
    const result = await options.processes.run(options.qemu, [...machine, ...bare, ...exit], {
      cwd: folder, // an aborting QEMU leaves its core there
      env: { PATH: SYSTEM_PATH, LANG: 'C' },
      timeoutMs: TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    if (result.exitCode === PROBE_EXIT_CODE) return { usable: true, reason: 'a probe guest ran to its end' }
    if (performance.now() - begin >= TIMEOUT_MS) {
      return { usable: false, reason: `a probe guest hung for ${TIMEOUT_MS / 1_000} s` }
    }
    return { usable: false, reason: explainExit(result.exitCode, result.stderr) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** With -no-reboot a guest that resets itself ends QEMU with status 0. */
function explainExit(exitCode: number, stderr: string): string {
  if (exitCode === 0) return 'a probe guest was reset before its end'
  const complaint = stderr.split('\n').find((line) => line.includes('error') || line.includes('failed')) ?? stderr
  return `QEMU could not run a probe guest: ${JSON.stringify(complaint.trim().slice(0, 200))}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
