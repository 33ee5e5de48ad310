/** Looks a text up among the known errors; a long log counts with its end, where the failure is. */
import { open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { explainText, type KnownErrorMatch } from '../host/known-errors.ts'

/** About 50,000 lines, looked through in two seconds. */
const LIMIT_BYTES = 4 * 1024 * 1024

/** @throws {VmpkgError} `USAGE` where there is no such file */
export async function explainFile(path: string): Promise<readonly KnownErrorMatch[]> {
  await using file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
    throw new VmpkgError('USAGE', `There is no file ${JSON.stringify(path.slice(0, 200))}`, {
      hint: 'Name a text, or - for standard input.',
      cause,
    })
  })
  const { size } = await file.stat()
  return await explainStream(file.createReadStream({ autoClose: false, start: Math.max(0, size - LIMIT_BYTES) }))
}

export async function explainStream(stream: AsyncIterable<Buffer | string>): Promise<readonly KnownErrorMatch[]> {
  let kept: Buffer[] = []
  let bytes = 0
  for await (const piece of stream) {
    const buffer = Buffer.from(piece)
    kept.push(buffer)
    bytes += buffer.length
    if (bytes <= 2 * LIMIT_BYTES) continue
    kept = [Buffer.concat(kept).subarray(-LIMIT_BYTES)]
    bytes = LIMIT_BYTES
  }
  return explainText(Buffer.concat(kept).toString())
}
