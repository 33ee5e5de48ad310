/** The digest and size of a file of any size. Test oracle: `sha256sum`. */
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { VmpkgError } from '../errors.ts'
import { type Digested, parseSha256 } from '../model/digest.ts'

/** A link is not followed. @throws {VmpkgError} `ABORTED` */
export async function digestFile(path: string, signal?: AbortSignal): Promise<Digested> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const hash = createHash('sha256')
  const stream = createReadStream('', { fd: handle, autoClose: false, highWaterMark: 1024 * 1024 })
  await pipeline(stream, hash, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    throw signal?.aborted ? new VmpkgError('ABORTED', 'The check was interrupted', { cause: error }) : error
  })
  return { sha256: parseSha256(hash.digest('hex')), size: stream.bytesRead }
}
