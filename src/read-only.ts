/**
 * What to say of a place that cannot be written to. SQLite does not tell why, and for a file system that is read-only
 * neither owner nor `sudo` is the matter.
 */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { systemErrorCode, VmpkgError } from './errors.ts'

/** @param cause why that is known; its own code is not looked at */
export function onReadOnly(path: string | undefined, cause: unknown): VmpkgError {
  const where = path === undefined ? 'findmnt -O ro lists those' : `findmnt -T ${dirname(path)} names it`
  return new VmpkgError(
    'NO_RIGHTS',
    `${path ?? 'What this command writes'} is on a file system that is mounted read-only (EROFS)`,
    {
      hint: `${where}, and dmesg says whether the kernel made it so after an error. Mount it writable (mount -o remount,rw), or keep the state elsewhere with --root.`,
      details: { ...(path === undefined ? {} : { path }), system: 'EROFS' },
      cause,
    },
  )
}

/**
 * For what failed at a path without a reason.
 * @returns nothing where it could be written to, as far as the system says
 */
export function whyNotWritable(path: string, cause: unknown): VmpkgError | undefined {
  const code = refusalOf(path)
  if (code === 'EROFS') return onReadOnly(path, cause)
  if (code !== 'EACCES' && code !== 'EPERM') return undefined
  return new VmpkgError('NO_RIGHTS', `No right to write ${path} (${code})`, {
    hint: 'Run the command as the user who owns it, or with sudo.',
    details: { path, system: code },
    cause,
  })
}

function refusalOf(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK)
    return undefined
  } catch (error) {
    const code = systemErrorCode(error)
    return code === 'ENOENT' && dirname(path) !== path ? refusalOf(dirname(path)) : code
  }
}
