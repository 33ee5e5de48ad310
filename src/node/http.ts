/**
 * The `Http` port by `got`, as agreed, with everything switched off that `fetch/` decides itself: redirects, retries,
 * decompression, timeouts. Proxies are those of Node's own agents (`proxyEnv`, since 24.5): plain requests go to them in
 * absolute form, the others through CONNECT, so that a proxy sees no header of an https request, and our credentials
 * never. Source: RFC 9110 9.3.6, the environment variables of curl(1). Test oracle: a proxy made by the test.
 */
import { once } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import got, { type Response } from 'got'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Http, ProxyChoice } from '../ports.ts'

const client = got.extend({
  followRedirect: false,
  decompress: false,
  throwHttpErrors: false,
  retry: { limit: 0 },
  headers: { 'user-agent': 'vmpkg' },
})

type Environment = Readonly<Record<string, string | undefined>>

interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

/** Takes `http_proxy`, `https_proxy` and `no_proxy` from the environment, in lower case before upper case. */
export function systemHttp(env: Environment): Http {
  const known = new Map<string, Agents | undefined>()
  const agentsFor = (choice: ProxyChoice): Agents | undefined => {
    if (choice === 'none') return undefined
    const key = String(choice)
    if (!known.has(key)) known.set(key, choice === 'environment' ? fromEnvironment(env) : through(choice, choice))
    return known.get(key)
  }
  return {
    async request({ url, method = 'GET', headers = {}, body, signal, proxy = 'environment' }) {
      const agent = agentsFor(proxy)
      // Of a method that may have a body, got waits for one.
      const sent = body ?? (method === 'GET' || method === 'HEAD' ? undefined : new Uint8Array())
      const options = {
        method,
        headers: { ...headers },
        ...(sent && { body: sent }),
        ...(signal && { signal }),
        ...(agent && { agent }),
      }
      const stream = client.stream(url, options)
      try {
        const [response] = (await once(stream, 'response')) as [Response]
        return { status: response.statusCode, headers: joinHeaders(response.headers), body: stream }
      } catch (error) {
        throw withoutCredentials(error)
      }
    },
  }
}

/** `--offline`: no socket is opened. */
export const offlineHttp: Http = {
  request: async ({ url }) => {
    const address = `${url.protocol}//${url.host}${url.pathname}`
    throw new VmpkgError('OFFLINE', `${address} is not asked while offline`, {
      hint: 'Run it once without --offline (and without VMPKG_OFFLINE).',
    })
  },
}

function fromEnvironment(env: Environment): Agents | undefined {
  const value = (name: string): string => env[name] ?? env[name.toUpperCase()] ?? ''
  const [plain, secure] = [parseProxy('http_proxy', value), parseProxy('https_proxy', value)]
  return plain === undefined && secure === undefined ? undefined : through(plain, secure, value('no_proxy'))
}

function through(plain: URL | undefined, secure: URL | undefined, except = ''): Agents {
  const no = { no_proxy: except }
  return {
    http: new HttpAgent({ proxyEnv: plain === undefined ? {} : { http_proxy: plain.href, ...no } }),
    https: new HttpsAgent({ proxyEnv: secure === undefined ? {} : { https_proxy: secure.href, ...no } }),
  }
}

/** As curl has it, `proxy.example.org:3128` is meant as `http:`. The value may hold a password and is not shown. */
function parseProxy(name: string, value: (name: string) => string): URL | undefined {
  const text = value(name)
  if (text === '') return undefined
  const href = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(href) ? new URL(href) : undefined
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url
  throw new VmpkgError('SOURCE_INVALID', `The environment variable ${name} is not the address of a proxy`, {
    hint: `Correct it, as in ${name}=http://proxy.example.org:3128, or unset it.`,
  })
}

/** Messages of a failed tunnel name the proxy as it was configured. What else an error carries is dropped. */
function withoutCredentials(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof VmpkgError) return error
  const code = systemErrorCode(error)
  const message = error.message.replaceAll(/\/\/[^\s/@]*@/g, '//').slice(0, 500)
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}

function joinHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const joined: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return joined
}
