/**
 * Uploads a blob to an OCI registry. A large one goes in pieces: after a fault the server says how much it has, and what is
 * missing follows. Source: OCI Distribution Specification 1.1, "Pushing blobs". Test oracle: Debian's docker-registry
 * behind a line that is cut.
 */
import type { Readable } from 'node:stream'
import { isVmpkgError } from '../errors.ts'
import type { Digested } from '../model/digest.ts'
import { type OciRepository, TRIES } from './oci-repository.ts'

/** Bytes of a file, from any offset. */
export interface OciBlob extends Digested {
  open(start: number, end: number): Uint8Array | Readable
}

/** An upload that has begun. */
interface Upload {
  readonly url: URL
  /** Bytes that the server has. */
  readonly sent: number
}

/** What a fault costs at most. */
const PIECE_BYTES = 32 * 1024 * 1024
const OCTETS = 'application/octet-stream'

/** One that is not there; from another repository without its bytes where the server can do that. @throws {VmpkgError} `TARGET_FAILED` */
export async function uploadBlob(repository: OciRepository, blob: OciBlob): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await uploadOnce(repository, blob)
      return
    } catch (error) {
      if (attempt === TRIES || !isVmpkgError(error, 'TARGET_FAILED')) throw error
      await repository.pause(attempt)
      // The answer may be all that was lost.
      if ((await repository.blobSize(blob.sha256)) === blob.size) return
    }
  }
}

async function uploadOnce(repository: OciRepository, blob: OciBlob): Promise<void> {
  const { mountFrom } = repository
  const mount = mountFrom === undefined ? '' : `?mount=sha256:${blob.sha256}&from=${encodeURIComponent(mountFrom)}`
  const begun = await repository.request({ method: 'POST', url: repository.url(`blobs/uploads/${mount}`) })
  if (begun.status === 201) return
  let upload: Upload = { url: repository.location(begun), sent: 0 }
  if (blob.size > PIECE_BYTES) {
    for (let faults = 0; upload.sent < blob.size; ) {
      const before = upload
      try {
        upload = await sendPiece(repository, before, blob)
      } catch (error) {
        if (++faults === TRIES || !isVmpkgError(error, 'TARGET_FAILED')) throw error
        await repository.pause(faults)
        upload = await resume(repository, before, error)
      }
      if (upload.sent > before.sent) faults = 0
    }
  }
  const { url, sent } = upload
  url.searchParams.set('digest', `sha256:${blob.sha256}`)
  const body = { size: blob.size - sent, open: () => blob.open(sent, blob.size) }
  await repository.request({ method: 'PUT', url, headers: { 'content-type': OCTETS }, body, once: true })
}

async function sendPiece(repository: OciRepository, { url, sent }: Upload, blob: OciBlob): Promise<Upload> {
  const end = Math.min(sent + PIECE_BYTES, blob.size)
  const headers = { 'content-type': OCTETS, 'content-range': `${sent}-${end - 1}` }
  const body = { size: end - sent, open: () => blob.open(sent, end) }
  const answer = await repository.request({ method: 'PATCH', url, headers, body, once: true })
  return { url: repository.location(answer), sent: end }
}

/** How far the server says that it is; anything but more or the same is for a new upload. */
async function resume(repository: OciRepository, { url, sent }: Upload, cause: unknown): Promise<Upload> {
  const answer = await repository.request({ method: 'GET', url })
  const [, last] = /^(?:bytes=)?0-(\d{1,16})$/.exec(answer.headers['range'] ?? '') ?? []
  // Servers write the range of nothing as 0-0.
  const there = last === undefined || last === '0' ? 0 : Number(last) + 1
  if (there < sent || there > sent + PIECE_BYTES) throw cause
  return { url: repository.location(answer), sent: there }
}
