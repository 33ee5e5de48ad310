/**
 * Who we are to an OCI registry. It says with its first 401 what it wants: a password (Basic) or a token (Bearer) from a
 * server that it names. A token goes to the registry it is for and nowhere else; a password goes only to the origin that
 * the user has it for, so a registry that names a token server elsewhere gets no password there (threats D12).
 *
 * Source: RFC 9110 11.6.1 (challenges); the token specification of the Distribution project (docs/spec/auth/token). Test
 * oracle: Debian's docker-registry with htpasswd, and with tokens of a server that the test made.
 */
import type { Readable } from 'node:stream'
import { VmpkgError } from '../errors.ts'
import type { OciPlace } from '../model/oci.ts'
import type { Http, HttpResponse, ProxyChoice } from '../ports.ts'
import { showUrl } from './locate.ts'

export interface OciSessionOptions {
  readonly place: OciPlace
  readonly http: Http
  readonly proxy?: ProxyChoice | undefined
  /** `Basic …` for an address, where the user has a password for it. */
  readonly login?: ((url: URL) => string | undefined) | undefined
}

export interface Challenge {
  readonly scheme: 'basic' | 'bearer'
  readonly parameters: ReadonlyMap<string, string>
}

const MAX_TOKEN_BYTES = 64 * 1024
const TOKEN_MS = 30_000
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']

export class OciSession {
  readonly place: OciPlace
  readonly #options: OciSessionOptions
  readonly #scopes = new Set<string>()
  #authorization: string | undefined
  #asking: Promise<boolean> | undefined

  constructor(options: OciSessionOptions) {
    this.place = options.place
    this.#options = options
  }

  /** What a request to that address carries. */
  headersFor(url: URL): Readonly<Record<string, string>> {
    if (url.origin !== this.place.server.origin || this.#authorization === undefined) return {}
    return { authorization: this.#authorization }
  }

  /**
   * After a 401: whether asking again is worth it, with what `headersFor` says by then.
   *
   * @param sent the headers that were refused
   * @throws {VmpkgError} `DOWNLOAD_FAILED` where the token server cannot be asked
   */
  async answer(
    url: URL,
    { headers }: Pick<HttpResponse, 'headers'>,
    sent: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (url.origin !== this.place.server.origin) return false
    // Many requests that are refused at once ask for one token.
    if (this.#asking !== undefined) return this.#asking
    if (this.#authorization !== undefined && sent['authorization'] !== this.#authorization) return true
    this.#asking = this.#take(headers['www-authenticate'] ?? '', signal).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #take(header: string, signal: AbortSignal | undefined): Promise<boolean> {
    const challenges = parseChallenges(header)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    const before = this.#authorization
    if (bearer !== undefined) this.#authorization = `Bearer ${await this.#fetchToken(bearer, signal)}`
    else if (challenges.length > 0) this.#authorization = this.#options.login?.(this.place.server)
    return this.#authorization !== undefined && this.#authorization !== before
  }

  /** With every right that was asked for so far, so that reading and writing do not take turns. */
  async #fetchToken({ parameters }: Challenge, signal: AbortSignal | undefined): Promise<string> {
    const { http, login, proxy } = this.#options
    const realm = this.#realm(parameters.get('realm') ?? '')
    const service = parameters.get('service')
    if (service !== undefined) realm.searchParams.set('service', service)
    for (const scope of (parameters.get('scope') ?? '').split(' ')) if (scope !== '') this.#scopes.add(scope)
    for (const scope of this.#scopes) realm.searchParams.append('scope', scope)
    const password = login?.(realm)
    const timeout = AbortSignal.timeout(TOKEN_MS)
    const response = await http
      .request({
        url: realm,
        headers: { 'accept-encoding': 'identity', ...(password !== undefined && { authorization: password }) },
        ...(proxy !== undefined && { proxy }),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      .catch((cause: unknown) => {
        throw refused(realm, 'could not be reached', undefined, cause)
      })
    if (response.status !== 200) {
      response.body.on('error', () => {}).destroy()
      throw refused(realm, `gives no token: status ${response.status}`, response.status)
    }
    return readToken(realm, await collect(realm, response.body))
  }

  /** Where tokens come from; as the registry says, but never over a line that others read. */
  #realm(text: string): URL {
    const realm = URL.canParse(text) ? new URL(text) : undefined
    const isPlainLocal = realm?.protocol === 'http:' && LOOPBACK.includes(realm.hostname)
    const isSafe = realm?.protocol === 'https:' || (isPlainLocal && this.place.server.protocol === 'http:')
    if (realm !== undefined && isSafe && realm.username === '' && realm.password === '') return realm
    throw refused(this.place.server, 'names a token server that is not reached by https', 401)
  }
}

/** `Bearer realm="https://…",service="…",scope="…"`; several stand one after the other. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Map<string, string> }[] = []
  const words =
    /\s*,?\s*(?:([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z][A-Za-z0-9_-]*)(?=\s|$))/gy
  for (const [, name, quoted, plain, scheme] of header.slice(0, 8192).matchAll(words)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
    else
      challenges.at(-1)?.parameters.set((name ?? '').toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '')
  }
  return challenges.flatMap(({ scheme, parameters }) =>
    scheme === 'basic' || scheme === 'bearer' ? [{ scheme, parameters }] : [],
  )
}

function readToken(realm: URL, bytes: Buffer): string {
  try {
    const { token, access_token: other } = JSON.parse(bytes.toString()) as Partial<Record<string, unknown>>
    const found = token ?? other
    // It becomes a header: one word of what RFC 6750 allows.
    if (typeof found === 'string' && /^[A-Za-z0-9._~+/-]+=*$/.test(found)) return found
  } catch {
    // no JSON
  }
  throw refused(realm, 'answered without a token', 200)
}

async function collect(realm: URL, body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  body.on('error', () => {})
  for await (const piece of body as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > MAX_TOKEN_BYTES) {
      body.destroy()
      throw refused(realm, 'answered with more than a token', 200)
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function refused(url: URL, fact: string, status: number | undefined, cause?: unknown): VmpkgError {
  return new VmpkgError('DOWNLOAD_FAILED', `${showUrl(url)} ${fact}`, {
    hint: 'Check the user and password that auth.conf has for that server.',
    cause,
    details: { url: showUrl(url), ...(status !== undefined && { status }) },
  })
}
