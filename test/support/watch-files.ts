/**
 * Stands between the code under test and the file system: for what somebody does between two calls, and for what only a
 * power cut would show.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import files, { open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'

/** Calls `act` before each `open` of `node:fs/promises`, until the test is over. */
export function beforeOpen(t: Pick<TestContext, 'after'>, act: (path: string) => Promise<void>): void {
  const genuine = files.open
  const set = (value: typeof genuine): void => {
    Object.assign(files, { open: value })
    syncBuiltinESMExports()
  }
  set(async (path, flags, mode) => {
    await act(String(path))
    return genuine(path, flags, mode)
  })
  t.after(() => set(genuine))
}

/** Makes each whole file that `node:fs/promises` writes take so long, until the test is over. */
export function slowWrites(t: Pick<TestContext, 'after'>, ms: number): void {
  const genuine = files.writeFile
  const set = (value: typeof genuine): void => {
    Object.assign(files, { writeFile: value })
    syncBuiltinESMExports()
  }
  set(async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return genuine(...args)
  })
  t.after(() => set(genuine))
}

/** Makes open files take no more than so many bytes at once, as a file system may, until the test is over. */
export async function shortWrites(t: Pick<TestContext, 'after'>, most: number): Promise<void> {
  type Write = (bytes: Uint8Array, offset: number, length: number, position: number | null) => Promise<unknown>
  await using any = await open('/dev/null')
  const methods = Object.getPrototypeOf(any) as { write: Write }
  const genuine = methods.write
  methods.write = async function (bytes, offset, length, position) {
    if (offset + length > bytes.length) throw new RangeError(`${offset} and ${length} are beyond ${bytes.length}`)
    return genuine.call(this, bytes, offset, Math.min(length, most), position)
  }
  t.after(() => {
    methods.write = genuine
  })
}

/** The paths of files and folders that are synchronised from now on, in order. Linux only. */
export async function recordSyncs(t: Pick<TestContext, 'after'>): Promise<readonly string[]> {
  const synced: string[] = []
  await using any = await open('/dev/null')
  const methods = Object.getPrototypeOf(any) as { sync: () => Promise<void> }
  const genuine = methods.sync
  methods.sync = async function (this: { fd: number }) {
    synced.push(readlinkSync(`/proc/self/fd/${this.fd}`))
    return genuine.call(this)
  }
  t.after(() => {
    methods.sync = genuine
  })
  return synced
}

/** What this process has open below a folder. Linux only. */
export function openBelow(folder: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`)
      return path.startsWith(`${folder}/`) ? [path] : []
    } catch {
      return [] // that of the listing itself
    }
  })
}
