/**
 * The `Http` port by `got`, as agreed, with everything switched off that `fetch/` decides itself: redirects, retries,
 * decompression, timeouts.
 */
import { once } from 'node:events'
import got, { type Response } from 'got'
import type { Http } from '../ports.ts'

const client = got.extend({
  followRedirect: false,
  decompress: false,
  throwHttpErrors: false,
  retry: { limit: 0 },
  headers: { 'user-agent': 'vmpkg' },
})

export const gotHttp: Http = {
  async request({ url, method = 'GET', headers = {}, body, signal }) {
    // Of a method that may have a body, got waits for one.
    const sent = body ?? (method === 'PUT' || method === 'DELETE' ? new Uint8Array() : undefined)
    const stream = client.stream(url, {
      method,
      headers: { ...headers },
      ...(sent && { body: sent }),
      ...(signal && { signal }),
    })
    const [response] = (await once(stream, 'response')) as [Response]
    return { status: response.statusCode, headers: joinHeaders(response.headers), body: stream }
  },
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
