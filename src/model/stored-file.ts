/**
 * The value of a file parameter: not where the file was, but what it held, so that a machine can be rendered again when
 * the file is gone. One line, as values are; it is secret and lives in the state database only (decisions 19).
 */

export interface StoredFile {
  /** From the file's name: `[a-z0-9][a-z0-9-]{0,30}`. */
  readonly name: string
  readonly text: string
}

/** Bytes that are taken of a file. */
export const MAX_STORED_FILE_BYTES = 256 * 1024

const STORED = /^data:([a-z0-9][a-z0-9-]{0,30});base64,([A-Za-z0-9+/]*={0,2})$/

/** @param path whose last part names it */
export function formatStoredFile(path: string, bytes: Uint8Array): string {
  const last = path.replace(/^.*\//, '').replace(/\.[A-Za-z0-9]{1,8}$/, '')
  const name = last
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 31)
    .replace(/-+$/, '')
  return `data:${name === '' ? 'file' : name};base64,${Buffer.from(bytes).toString('base64')}`
}

export function isStoredFile(value: string): boolean {
  return value.length <= MAX_STORED_FILE_BYTES * 1.5 && STORED.test(value)
}

/** `undefined` for a value that is no stored file. */
export function parseStoredFile(value: unknown): StoredFile | undefined {
  const match = typeof value === 'string' && isStoredFile(value) ? STORED.exec(value) : null
  if (match === null) return undefined
  const [, name = '', base64 = ''] = match
  return { name, text: Buffer.from(base64, 'base64').toString() }
}
