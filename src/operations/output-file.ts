/**
 * A large file of the user's own, written beside its name and given it when it is whole: whoever looks sees the old file or
 * the new one. What a killed process left there is removed by the next that writes into the folder.
 */
import { link, lstat, open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { renameDurably, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { isAlive, readOwnIdentity } from '../state/process-identity.ts'

export interface OutputOptions {
  /** Absolute. */
  readonly target: string
  /** Without it a file that is there stays. */
  readonly replace: boolean
  readonly mode: number
  /** Whose it becomes; ours without. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** False where what was written is no gain: the old file stays. */
  readonly isWorthIt?: (temporary: string) => Promise<boolean>
}

/** Names of unfinished files: `.NAME.vmpkg-PID-STARTTICKS.tmp`. */
const UNFINISHED = /^\..*\.vmpkg-([1-9][0-9]{0,9})-([0-9]{1,18})\.tmp$/

/**
 * @param write makes the file that it is given the name of
 * @throws {VmpkgError} `USAGE` where the file is there and is not to be replaced, and what `write` throws; nothing is left
 */
export async function writeOutput(
  { target, replace, mode, owner, isWorthIt }: OutputOptions,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  if (!replace) await requireAbsent(target)
  await removeAbandoned(dirname(target))
  const temporary = temporaryBeside(target)
  try {
    await write(temporary)
    if ((await isWorthIt?.(temporary)) === false) return
    {
      await using file = await open(temporary, 'r+')
      if (owner !== undefined) await file.chown(owner.uid, owner.gid)
      await file.chmod(mode)
      await file.sync()
    }
    if (replace) await renameDurably(temporary, target)
    else await linkDurably(temporary, target)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** @throws {VmpkgError} `USAGE` */
export async function requireAbsent(target: string): Promise<void> {
  const found = await lstat(target).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (found !== undefined) throw taken(target)
}

/** A link fails where something has the name meanwhile, which a rename would replace. */
async function linkDurably(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target)
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') throw taken(target)
    // FAT and some network file systems have no links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(systemErrorCode(error) ?? '')) throw error
    await requireAbsent(target)
    await renameDurably(temporary, target)
    return
  }
  await rm(temporary)
  await syncFolder(dirname(target))
}

function taken(target: string): VmpkgError {
  return new VmpkgError('USAGE', `There is already a file ${JSON.stringify(target)}`, {
    hint: 'Choose another name, or replace it with --force.',
  })
}

/** Where a file is until it is whole, by this process. */
export function temporaryBeside(target: string): string {
  const { pid, startTicks } = readOwnIdentity()
  return join(dirname(target), `.${basename(target).slice(0, 150)}.vmpkg-${pid}-${startTicks}.tmp`)
}

/** What a killed process left in a folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const path of await findAbandoned(folder)) await rm(path, { force: true })
}

/** The same, only looked for. */
export async function findAbandoned(folder: string): Promise<readonly string[]> {
  const { bootId } = readOwnIdentity()
  const isAbandoned = (name: string): boolean => {
    const [, pid, startTicks] = UNFINISHED.exec(name) ?? []
    return pid !== undefined && !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId })
  }
  return (await readdir(folder)).filter(isAbandoned).map((name) => join(folder, name))
}
