/** Every file below a registry folder, told apart by name: immutable ones, unfinished ones, and what is not ours. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import { SWAP_FOLDER } from './swap-lock.ts'

export interface ListedFile {
  /** Below the registry. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly modifiedAt: Date
  readonly kind: 'content' | 'root' | 'snapshot' | 'incoming' | 'unfinished'
}

export interface RegistryListing {
  readonly files: readonly ListedFile[]
  /** Names that no publisher writes; vmpkg never touches them. */
  readonly foreign: readonly string[]
}

const CONTENT: Readonly<Record<string, RegExp>> = {
  index: /^[0-9a-f]{64}\.jsonl\.zst$/,
  package: /^[0-9a-f]{64}\.vmpkg$/,
  channels: /^[0-9a-f]{64}\.json$/,
  history: /^[0-9a-f]{64}\.json$/,
  map: /^[0-9a-f]{64}$/,
  transport: /^[0-9a-f]{64}$/,
  blob: /^[0-9a-f]{64}$/,
}
const OTHER: Readonly<Record<string, RegExp>> = {
  root: /^[1-9][0-9]{0,15}\.json$/,
  snapshot: /^[0-9]{8}T[0-9]{6}Z\.json$/,
  incoming: /^[0-9a-f]{64}\.json$/,
}
/** `durable-file.ts`, `pack-image.ts` and downloads write under such names first. */
const UNFINISHED =
  /(?:^|\.)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$|^[0-9a-f]{64}[.a-z]*\.partial(?:\.frames)?$/
const OWN = new Set(['envelope.json', '.lock', '.lock-journal', '.mirror.json', SWAP_FOLDER])

/** @throws the file system's errors but for folders that are not there. */
export async function listRegistry(folder: string): Promise<RegistryListing> {
  const files: ListedFile[] = []
  const foreign: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (OWN.has(entry.name)) continue
    if (entry.isDirectory() && (Object.hasOwn(CONTENT, entry.name) || Object.hasOwn(OTHER, entry.name))) {
      await listKind(folder, entry.name, files, foreign)
    } else if (entry.isFile() && UNFINISHED.test(entry.name)) await addFile(folder, entry.name, 'unfinished', files)
    else foreign.push(entry.name)
  }
  return { files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)), foreign: foreign.toSorted() }
}

async function listKind(folder: string, kind: string, files: ListedFile[], foreign: string[]): Promise<void> {
  for (const entry of await readdir(join(folder, kind), { withFileTypes: true })) {
    const path = `${kind}/${entry.name}`
    const named = entry.isFile() ? kindOf(kind, entry.name) : undefined
    if (named === undefined) foreign.push(path)
    else await addFile(folder, path, named, files)
  }
}

function kindOf(kind: string, name: string): ListedFile['kind'] | undefined {
  if (CONTENT[kind]?.test(name)) return 'content'
  if (UNFINISHED.test(name)) return 'unfinished'
  if (!OTHER[kind]?.test(name)) return undefined
  return kind === 'root' || kind === 'snapshot' ? kind : 'incoming'
}

async function addFile(folder: string, path: string, kind: ListedFile['kind'], files: ListedFile[]): Promise<void> {
  try {
    const { size, mtime } = await stat(join(folder, path))
    files.push({ path, size, modifiedAt: mtime, kind })
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error // finished, or gone, since it was listed
  }
}
