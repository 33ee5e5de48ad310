/**
 * A unified kernel image: systemd's EFI stub with kernel, initrd, command line and os-release as further sections, so
 * that firmware starts Linux from one file and nothing about the boot can be changed beside it.
 * Source: the UAPI group's Unified Kernel Image specification; Microsoft's PE format for the two fields set here.
 */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { type BuildTools, runTool } from './build-tool.ts'

const PAGE = 0x1000
/** Behind every section of the stub. */
const FIRST_ADDRESS = 0x10_0000
const PE_HEADER_POINTER = 0x3c
const TIME_STAMP = 8
const CHECKSUM = 24 + 64

/**
 * Writes `target`.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function makeUnifiedKernel(
  tools: BuildTools,
  options: {
    readonly stub: string
    readonly kernel: string
    readonly initrd: string
    readonly osRelease: string
    readonly commandLine: string
    readonly work: string
    readonly target: string
  },
): Promise<void> {
  const commandLine = join(options.work, 'cmdline')
  await writeFile(commandLine, options.commandLine)
  const sections = [
    ['.osrel', options.osRelease],
    ['.cmdline', commandLine],
    ['.linux', options.kernel],
    ['.initrd', options.initrd],
  ] as const
  const args: string[] = []
  const base = await readImageBase(options.stub)
  let address = FIRST_ADDRESS
  for (const [name, file] of sections) {
    args.push('--add-section', `${name}=${file}`, '--change-section-vma', `${name}=0x${(base + address).toString(16)}`)
    address += Math.ceil((await stat(file)).size / PAGE) * PAGE
  }
  await runTool(tools, 'objcopy', [...args, options.stub, options.target])
  await fixHeader(options.target, tools.epoch)
}

/** Section addresses of objcopy count from the image base of the stub (0 in older ones). */
async function readImageBase(stub: string): Promise<number> {
  const file = await readFile(stub)
  const header = locateHeader(file, stub)
  return Number(file.readBigUInt64LE(header + 24 + 24))
}

/** objcopy writes the time of the build; the checksum counts for drivers only, and 0 says that there is none. */
async function fixHeader(path: string, epoch: number): Promise<void> {
  const file = await readFile(path)
  const header = locateHeader(file, path)
  file.writeUInt32LE(epoch, header + TIME_STAMP)
  file.writeUInt32LE(0, header + CHECKSUM)
  await writeFile(path, file)
}

function locateHeader(file: Buffer, path: string): number {
  const header = file.length < 0x40 ? 0 : file.readUInt32LE(PE_HEADER_POINTER)
  if (header > 0 && header + CHECKSUM + 4 <= file.length && file.toString('latin1', header, header + 4) === 'PE\0\0') {
    return header
  }
  throw new VmpkgError('BUILD_FAILED', `${path} is not an EFI program`, {
    hint: 'Check the package systemd-boot-efi of the suite.',
  })
}
