/**
 * The address of a file of a registry: a base and a path below it. Pure. Paths come from signed data or from our own
 * formats, and are checked all the same (threats M17, A01).
 */
import { VmpkgError } from '../errors.ts'

/** What may stand in a path of a registry; no empty part, `.` or `..`. */
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/

/** `file:` and `http(s):` bases. A base without a final slash gets one. @throws {VmpkgError} `DOWNLOAD_FAILED` */
export function locateFile(base: URL, path: string): URL {
  if (!PATH.test(path) || path.length > 200) {
    throw new VmpkgError('DOWNLOAD_FAILED', `Not a path in a registry: ${JSON.stringify(path.slice(0, 100))}`)
  }
  const folder = new URL(base)
  if (!folder.pathname.endsWith('/')) folder.pathname += '/'
  const located = new URL(path, folder)
  located.search = folder.search // access tokens of some buckets are written there
  return located
}

/** For messages and events: no user, password or query. */
export function showUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}

/** True where the last part of the path is a digest: a file that is checked whole and so may come from anywhere. */
export function isContentAddressed(path: string): boolean {
  return /^(?:[a-z]+\/)[0-9a-f]{64}(?:\.[a-z0-9.]+)?$/.test(path)
}
