/**
 * Where a large file of a vendor really is, and how long it claims to be. Vendors send downloads on to mirrors of other
 * origins; that is followed here, because what arrives is checked against a signed digest. The size is a claim: it bounds
 * the download and is trusted for nothing else.
 */
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { VmpkgError } from '../errors.ts'
import { locateFile, showUrl } from './locate.ts'
import type { Mirror } from './mirror.ts'
import { followRedirect, MAX_REDIRECTS } from './redirect.ts'

export interface ProbedFile {
  /** The folder to `download` from, and the file's name in it. */
  readonly mirror: Mirror
  readonly path: string
  readonly size: number
}

/** `undefined` where there is no such file. @throws {VmpkgError} `DOWNLOAD_FAILED` `REDIRECT_REFUSED` */
export async function probeFile(
  mirror: Mirror,
  { path, signal }: { readonly path: string; readonly signal?: AbortSignal | undefined },
): Promise<ProbedFile | undefined> {
  const first = locateFile(mirror.base, path)
  if (first.protocol === 'file:') {
    const found = await stat(fileURLToPath(first)).catch(() => undefined)
    return found?.isFile() === true ? { mirror, path, size: found.size } : undefined
  }
  let url = first
  for (let count = 0; count <= MAX_REDIRECTS; count++) {
    const response = await ask(mirror, url, signal)
    if (response.status >= 300 && response.status < 400) {
      url = followRedirect(url, response.location, { first, mayLeaveOrigin: true })
      continue
    }
    if (response.status === 404 || response.status === 410) return undefined
    if (response.status !== 200 || !/^\d{1,15}$/.test(response.length ?? '')) {
      throw new VmpkgError('DOWNLOAD_FAILED', `${showUrl(url)} was answered with status ${response.status}`, {
        hint: 'The server must say how long the file is. Try again later, or use another mirror.',
        details: { status: response.status },
      })
    }
    const base = new URL(url)
    base.pathname = url.pathname.replace(/[^/]*$/, '')
    const name = url.pathname.slice(base.pathname.length)
    return { mirror: { ...mirror, base }, path: name, size: Number(response.length) }
  }
  throw new VmpkgError('REDIRECT_REFUSED', `${showUrl(first)} redirects more than ${MAX_REDIRECTS} times`)
}

async function ask({ http }: Mirror, url: URL, signal: AbortSignal | undefined) {
  try {
    const { status, headers, body } = await http.request({
      url,
      headers: { 'accept-encoding': 'identity' },
      ...(signal === undefined ? {} : { signal }),
    })
    body.on('error', () => {})
    body.destroy()
    return { status, location: headers['location'], length: headers['content-length'] }
  } catch (cause) {
    if (signal?.aborted) throw new VmpkgError('ABORTED', `The download of ${showUrl(url)} was interrupted`)
    throw new VmpkgError('DOWNLOAD_FAILED', `${showUrl(url)} could not be reached`, {
      hint: 'Check the network, or use a mirror: --mirror URL.',
      cause,
    })
  }
}
