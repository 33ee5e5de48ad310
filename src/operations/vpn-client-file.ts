/** The one file that a VPN client is handed: written for its owner alone, or drawn as a code. */
import { lstat, rm } from 'node:fs/promises'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'

/** Version 40 with the least correction, in bytes. Source: ISO/IEC 18004, table 7. */
const MAX_CODE_BYTES = 2953

/** It holds a key: for its owner only. @returns takes it away again. @throws {VmpkgError} `USAGE` */
export async function writeClientFile(path: string, text: string, force: boolean): Promise<() => Promise<void>> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  )
  if (isThere && !force) {
    throw new VmpkgError('USAGE', `${path} is there already`, { hint: 'Choose another name, or add --force.' })
  }
  try {
    await replaceFile(path, text, { mode: 0o600 })
  } catch (cause) {
    throw new VmpkgError('USAGE', `Cannot write ${path}: ${systemErrorCode(cause) ?? 'unknown'}`, {
      hint: 'Name a file in a folder that is there and that you may write to.',
      cause,
    })
  }
  return async () => rm(path, { force: true })
}

/**
 * By its standard input, for what is given as an argument every user of this machine can read.
 * @throws {VmpkgError} `USAGE` for a file that is too long for a code
 */
export async function drawCode(file: string, processes: Processes, signal: AbortSignal): Promise<string> {
  if (Buffer.byteLength(file) > MAX_CODE_BYTES) {
    const size = Buffer.byteLength(file)
    throw new VmpkgError('USAGE', `The file has ${size} bytes, and a QR code holds ${MAX_CODE_BYTES}`, {
      hint: 'Leave out --qr, and hand the file over.',
    })
  }
  const { exitCode, stdout, stderr } = await processes.run('qrencode', ['-t', 'UTF8', '-o', '-'], {
    input: file,
    signal,
  })
  if (exitCode === 0) return stdout.trimEnd()
  throw new VmpkgError('USAGE', `qrencode makes no code of the file: ${stderr.trim()}`, {
    hint: 'Leave out --qr, and hand the file over.',
  })
}
