/**
 * Attributes and links of sysfs. Drivers may refuse to be read, devices may go away in between, and captured trees lack
 * files: what cannot be read is absent, never an error.
 *
 * Source: Linux Documentation/filesystems/sysfs.rst (one value per file).
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'

/** The value without the line's end; undefined where it is absent or empty. */
export async function readAttribute(path: string): Promise<string | undefined> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim()
  return text === '' ? undefined : text
}

/** A whole number in decimal or `0x` notation. */
export async function readNumber(path: string): Promise<number | undefined> {
  const text = await readAttribute(path)
  const value = text === undefined ? Number.NaN : Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Last name of what a link points to: `driver` → `e1000e`. */
export async function readLinkName(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined)
  return target === undefined ? undefined : basename(target)
}

/** Names in a folder, sorted; none where there is no such folder. */
export async function listFolder(path: string): Promise<readonly string[]> {
  return (await readdir(path).catch((): string[] => [])).toSorted()
}
