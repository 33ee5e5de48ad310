/**
 * Gives a code and a next step to failures that come from below as they are: libvirt's refusals, a connection that broke,
 * and the operating system's words for no rights, no space and a disk that fails. Source: virErrorNumber, errno(3), SQLite's result codes.
 */
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { findKnownError } from '../host/known-errors.ts'
import { ConnectionClosed, LibvirtError } from '../libvirt/error.ts'
import { onReadOnly } from '../read-only.ts'

const RIGHTS: readonly (string | undefined)[] = ['EACCES', 'EPERM']
const SPACE: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT']
const DISK: readonly (string | undefined)[] = ['EIO', 'EUCLEAN', 'EREMOTEIO', 'ESTALE']
const SQLITE_BUSY = 5
const SQLITE_READ_ONLY = 8
const SQLITE_IO = 10
const SQLITE_FULL = 13
/** SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log, which also a reader makes. */
const SQLITE_IO_SHM_SIZE = 10 + 19 * 256

/** The coded failure for what has no code yet; everything else as it is, faults of vmpkg included. */
export function translateFailure(error: unknown): unknown {
  if (error instanceof VmpkgError) return explainCause(error)
  if (!(error instanceof Error)) return error
  if (error instanceof LibvirtError) return libvirtFailed(error)
  if (error instanceof ConnectionClosed) {
    return new VmpkgError('LIBVIRT_UNREACHABLE', `The connection to libvirt broke: ${oneLine(error.message)}`, {
      hint: 'Look whether its daemon still runs, then run the command again; vmpkg undoes first what was half done.',
      cause: error,
    })
  }
  return systemFailure(error) ?? error
}

/** A failure that says nothing of a next step gets that of the known error below it. */
function explainCause(error: VmpkgError): VmpkgError {
  const { code, message, hint, details, cause } = error
  const known = hint === undefined && cause instanceof LibvirtError ? findKnownError(cause.message) : undefined
  if (known === undefined) return error
  return new VmpkgError(code, message, { hint: known.fix, cause, details: { ...details, known: known.id } })
}

/** libvirt's own words are kept: they name the device, file or setting. */
function libvirtFailed(error: LibvirtError): VmpkgError {
  const { codeName, procedure, domain } = error
  const known = findKnownError(error.message)
  return new VmpkgError('LIBVIRT_FAILED', `libvirt refused: ${oneLine(error.message)}`, {
    hint: known?.fix ?? hintForRefusal(error),
    cause: error,
    details: {
      libvirt: codeName,
      domain,
      ...(procedure === undefined ? {} : { procedure }),
      ...(known === undefined ? {} : { known: known.id }),
    },
  })
}

function hintForRefusal(error: LibvirtError): string {
  return error.is('operationDenied', 'authFailed', 'accessDenied')
    ? 'This user may not do that: join the group libvirt, or use --connect private.'
    : 'The log of its daemon may say more (journalctl -u libvirtd, or host.log of a private host).'
}

function systemFailure(error: Error): VmpkgError | undefined {
  const code = systemErrorCode(error)
  const extended = code === 'ERR_SQLITE_ERROR' && 'errcode' in error ? Number(error.errcode) : undefined
  const sqlite = extended === undefined ? undefined : extended & 0xff
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined
  const details = { ...(path === undefined ? {} : { path }), ...(code === undefined ? {} : { system: code }) }
  if (sqlite === SQLITE_BUSY) {
    return new VmpkgError('LOCK_HELD', 'Another vmpkg is writing to the same database', {
      hint: 'Wait until it is done and try again.',
      cause: error,
      details,
    })
  }
  if (code === 'EROFS') return onReadOnly(path, error)
  if (RIGHTS.includes(code) || sqlite === SQLITE_READ_ONLY) {
    const what = path === undefined ? 'something this command needs' : JSON.stringify(path)
    return new VmpkgError('NO_RIGHTS', `No right to use ${what} (${code})`, {
      hint: 'Check its owner and mode, and that its file system is not mounted read-only; or keep the state elsewhere with --root.',
      cause: error,
      details,
    })
  }
  if (SPACE.includes(code) || sqlite === SQLITE_FULL || extended === SQLITE_IO_SHM_SIZE) {
    const where = path === undefined ? '' : ` for ${JSON.stringify(path)}`
    return new VmpkgError('NO_SPACE', `The disk is full${where} (${code})`, {
      hint: 'Free some space (vmpkg gc removes what nobody uses), or move the state with --root.',
      cause: error,
      details,
    })
  }
  if (DISK.includes(code) || sqlite === SQLITE_IO) {
    const what = path === undefined ? 'The disk' : `The disk, at ${JSON.stringify(path)},`
    return new VmpkgError('DISK_FAILED', `${what} reports an error (${code})`, {
      hint: 'Look what the kernel says (dmesg) and check the disk, then run the command again.',
      cause: error,
      details,
    })
  }
  return undefined
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 1000)
}
