/** Looks at a folder after every file of it that is replaced or comes to its name: what a reader at that moment would find. */
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** How often it looked. */
export async function lookAfterFiles(
  folder: string,
  change: () => Promise<unknown>,
  look: () => Promise<unknown>,
): Promise<number> {
  const { rename, link } = promises
  let count = 0
  const see = async (to: unknown): Promise<void> => {
    if (!String(to).startsWith(`${folder}/`)) return
    count++
    await look()
  }
  promises.rename = async (from, to) => {
    await rename(from, to)
    await see(to)
  }
  promises.link = async (from, to) => {
    await link(from, to)
    await see(to)
  }
  syncBuiltinESMExports()
  try {
    await change()
    return count
  } finally {
    Object.assign(promises, { rename, link })
    syncBuiltinESMExports()
  }
}
