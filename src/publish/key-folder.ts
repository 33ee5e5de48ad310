/**
 * A key is two files. A command that dies between them leaves a secret key without its certificate, which says the same
 * in public: it is made from it, so that a key is there exactly when its secret file is (threats L01).
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import { isFingerprint } from '../model/fingerprint.ts'

const UNFINISHED = /^[0-9A-F]{40}(?:\.secret)?\.asc\.[0-9a-f-]{36}\.tmp$/

/** Paths of files that a killed command did not finish. */
export async function findUnfinishedKeyFiles(folder: string): Promise<readonly string[]> {
  return (await namesIn(folder)).filter((name) => UNFINISHED.test(name)).map((name) => join(folder, name))
}

/** Removes unfinished files and writes the certificates that are missing. The caller holds the writer lock. */
export async function completeKeyFolder(folder: string): Promise<void> {
  for (const path of await findUnfinishedKeyFiles(folder)) await rm(path, { force: true })
  const names = new Set(await namesIn(folder))
  for (const name of names) {
    const fingerprint = name.replace(/\.secret\.asc$/, '')
    if (fingerprint === name || !isFingerprint(fingerprint) || names.has(`${fingerprint}.asc`)) continue
    const { readPrivateKey } = await import('openpgp') // slow to load, and seldom needed
    const armoredKey = await readFile(join(folder, name), 'utf8')
    const key = await readPrivateKey({ armoredKey }).catch(() => undefined) // whoever asks for it is told why
    if (key === undefined) continue
    await replaceFile(join(folder, `${fingerprint}.asc`), key.toPublic().armor())
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
}
