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
