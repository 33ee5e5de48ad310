/**
 * Changes files of the host below the root of its tree, and takes the changes back: byte for byte where nobody edited
 * them since, else only our own lines. What somebody changed of ours is refused, before anything is written.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { createTwoFilesPatch } from 'diff'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { type HostEdit, makeEdit, withdrawEdit } from './host-edit.ts'
import type { JournalFile } from './host-journal.ts'

/** What a file is to become. */
export interface FileChange {
  /** Relative to the root of the tree. */
  readonly path: string
  readonly isLink: boolean
  /** Undefined where there is none, or is to be none. */
  readonly now: string | undefined
  readonly wanted: string | undefined
  /** For the journal; undefined when our edit is taken out. */
  readonly entry: Omit<JournalFile, 'folders'> | undefined
}

/**
 * What has to change so that exactly these edits are in place: new ones are made, changed ones replaced, those that are
 * no longer wanted taken out.
 * @param edits one a file
 * @throws {VmpkgError} `HOST_FILE_CHANGED` when somebody changed our lines, or a path leads out of the tree
 */
export async function planFiles(
  target: string,
  edits: readonly HostEdit[],
  journal: readonly JournalFile[],
): Promise<readonly FileChange[]> {
  const wanted = new Map(edits.map((edit) => [edit.path, edit]))
  const known = new Map(journal.map((file) => [file.edit.path, file]))
  const changes: FileChange[] = []
  for (const path of new Set([...known.keys(), ...wanted.keys()])) {
    const edit = wanted.get(path)
    const file = known.get(path)
    const isLink = (edit ?? file?.edit)?.kind === 'link'
    const now = await readHostFile(target, path, isLink)
    const base = file === undefined ? now : withoutEdit(now, file)
    if (isLink && edit !== undefined && base !== undefined) {
      throw new VmpkgError('HOST_FILE_CHANGED', `/${path} is there already and is not of vmpkg`, {
        hint: 'Remove it when it is not needed, and run the command again.',
      })
    }
    const made = edit === undefined ? undefined : makeEdit(base, edit)
    changes.push({
      path,
      isLink,
      now,
      wanted: made?.text ?? base,
      entry: made === undefined ? undefined : { edit: made.edit, before: base ?? null, after: made.text },
    })
  }
  return changes
}

/** True where a file on disk has to change. */
export function isChange({ now, wanted }: FileChange): boolean {
  return now !== wanted
}

/** As `diff -u` shows it. */
export function formatFileDiff({ path, now, wanted, isLink }: FileChange): string {
  if (isLink) return `--- ${now === undefined ? '/dev/null' : `/${path}`}\n+++ /${path} -> ${wanted ?? 'removed'}\n`
  const [from, to] = [now === undefined ? '/dev/null' : `/${path}`, wanted === undefined ? '/dev/null' : `/${path}`]
  return createTwoFilesPatch(from, to, now ?? '', wanted ?? '', undefined, undefined, { context: 2 }).replace(
    /^=+\n/,
    '',
  )
}

/**
 * Carries out one change.
 * @param record is told the entry before the file changes, and undefined once nothing of ours is left in it
 * @throws {VmpkgError} `NO_RIGHTS`
 */
export async function writeFileChange(
  target: string,
  change: FileChange,
  known: JournalFile | undefined,
  record: (entry: JournalFile | undefined) => Promise<void>,
): Promise<void> {
  const path = join(target, change.path)
  const folders = known?.folders ?? (await missingFolders(target, change.path))
  await record(change.entry === undefined ? known : { ...change.entry, folders: [...folders] })
  if (isChange(change)) {
    try {
      await writeOne(target, path, change, folders)
    } catch (cause) {
      if (!['EACCES', 'EPERM', 'EROFS'].includes(systemErrorCode(cause) ?? '')) throw cause
      throw new VmpkgError('NO_RIGHTS', `${path} cannot be written`, { hint: 'Run it as root.', cause })
    }
  }
  if (change.entry === undefined) {
    await record(undefined)
    if (change.wanted === undefined) await removeFolders(target, folders)
  }
}

async function writeOne(
  target: string,
  path: string,
  { wanted, isLink }: FileChange,
  folders: readonly string[],
): Promise<void> {
  if (wanted === undefined) {
    await rm(path, { force: true })
    return
  }
  for (const folder of folders) await mkdir(join(target, folder)).catch(ignoreExisting)
  if (isLink) {
    await unlink(path).catch(() => undefined)
    await symlink(wanted, path)
    return
  }
  const old = await stat(path).catch(() => undefined)
  await replaceFile(path, wanted, { mode: old === undefined ? 0o644 : old.mode & 0o7777 })
  if (old !== undefined) await keepOwner(path, old)
}

/** A file of another owner stays his. */
async function keepOwner(path: string, old: Awaited<ReturnType<typeof stat>>): Promise<void> {
  const now = await stat(path)
  if (now.uid === old.uid && now.gid === old.gid) return
  await chown(path, Number(old.uid), Number(old.gid))
  await chmod(path, Number(old.mode) & 0o7777) // chown drops set-id bits
}

function ignoreExisting(error: unknown): void {
  if (systemErrorCode(error) !== 'EEXIST') throw error
}

/** The file as it would be without our edit. @throws {VmpkgError} `HOST_FILE_CHANGED` */
function withoutEdit(now: string | undefined, { edit, before, after }: JournalFile): string | undefined {
  if (now === undefined) return undefined // somebody removed it, and our lines with it
  if (now === after) return before ?? undefined
  if (now === before) return now
  const withdrawal = withdrawEdit(now, edit, before ?? undefined)
  if (withdrawal.state === 'gone') return now
  if (withdrawal.state === 'taken') return withdrawal.text === '' && before === null ? undefined : withdrawal.text
  throw new VmpkgError('HOST_FILE_CHANGED', `Somebody changed the lines of vmpkg in /${edit.path}`, {
    hint: `Put them back as they were, or remove them from /${edit.path}; vmpkg host plan shows them.`,
    details: { path: `/${edit.path}`, edit },
  })
}

async function readHostFile(target: string, path: string, isLink: boolean): Promise<string | undefined> {
  await requireInside(target, path)
  const full = join(target, path)
  const kind = await lstat(full).catch(() => undefined)
  if (kind === undefined) return undefined
  if (isLink && kind.isSymbolicLink()) return readlink(full)
  if (kind.isFile() && !isLink) return readFile(full, 'utf8')
  throw new VmpkgError(
    'HOST_FILE_CHANGED',
    `/${path} is ${kind.isSymbolicLink() ? 'a symbolic link' : 'no ordinary file'}`,
    {
      hint: 'Make it an ordinary file (cp --remove-destination), or change what it points to by hand.',
    },
  )
}

/** No folder on the way may lead out of the tree. */
async function requireInside(target: string, path: string): Promise<void> {
  const root = await realpath(target)
  for (let folder = dirname(join(target, path)); folder.length >= target.length; folder = dirname(folder)) {
    const real = await realpath(folder).catch(() => undefined)
    if (real === undefined) continue
    if (real === root || root === sep || real.startsWith(root + sep)) return
    throw new VmpkgError('HOST_FILE_CHANGED', `/${relative(target, folder)} leads out of ${target}`, {
      hint: 'Change that file by hand.',
    })
  }
}

async function missingFolders(target: string, path: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    if ((await lstat(join(target, folder)).catch(() => undefined)) !== undefined) break
    missing.unshift(folder)
  }
  return missing
}

/** Folders that we made and that are empty again. */
async function removeFolders(target: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) {
    const left = await readdir(join(target, folder)).catch((): string[] => [''])
    if (left.length > 0) return
    await rmdir(join(target, folder))
  }
}
