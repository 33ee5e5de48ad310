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
  async request({ url, headers = {}, signal }) {
    const stream = client.stream(url, { headers: { ...headers }, ...(signal && { signal }) })
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
