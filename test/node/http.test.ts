import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fetchSmallFile } from '../../src/fetch/small-file.ts'
import { offlineHttp, systemHttp } from '../../src/node/http.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { startProxy } from '../support/proxy.ts'

const FILE = { path: 'envelope.json', maxBytes: 100 }
const known = getCACertificates()

describe('the HTTP client', () => {
  const ended: (() => Promise<void>)[] = []
  const seen: { readonly authorization: string | undefined; readonly proxy: string | undefined }[] = []
  let secure: URL
  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vmpkg-http-'))
    ended.push(() => rm(folder, { recursive: true }))
    const authority = makeAuthority(join(folder, 'authority'))
    await mkdir(join(folder, 'server'))
    authority.issue(join(folder, 'server'), 'server', { names: ['DNS:localhost'] })
    setDefaultCACertificates([...known, readFileSync(authority.file, 'utf8')])
    const read = (name: string): Buffer => readFileSync(join(folder, 'server', name))
    const server = createSecureServer(
      { cert: read('servercert.pem'), key: read('serverkey.pem') },
      (request, response) => {
        const { authorization, 'proxy-authorization': proxy } = request.headers
        seen.push({ authorization, proxy })
        response.end('secret page')
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    secure = new URL(`https://ada:secret@localhost:${(server.address() as AddressInfo).port}/`)
    ended.push(async () => {
      server.closeAllConnections()
      server.close()
    })
  })
  after(async () => {
    setDefaultCACertificates(known)
    for (const end of ended) await end()
  })

  const through = (env: Record<string, string>, base: URL, proxy?: URL | 'none') =>
    fetchSmallFile(testMirror(base, { http: systemHttp(env), ...(proxy && { proxy }) }), FILE)
  const withUser = (url: URL): string => url.href.replace('//', '//bob:proxypass@')
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
  const plainServer = async (t: TestContext) => startFileServer(t, { 'envelope.json': 'a plain page' })

  test('goes to https servers through a tunnel, which shows the proxy its own credentials and no others', async (t) => {
    const proxy = await startProxy(t)
    seen.length = 0
    assert.equal((await through({ https_proxy: withUser(proxy.url) }, secure)).toString(), 'secret page')
    assert.deepEqual(
      proxy.seen.map(({ method, target, headers }) => [method, target, headers['proxy-authorization']]),
      [['CONNECT', secure.host, basic('bob:proxypass')]],
    )
    assert.equal(proxy.seen[0]?.headers.authorization, undefined)
    assert.deepEqual(seen, [{ authorization: basic('ada:secret'), proxy: undefined }])
  })

  test('goes to http servers in absolute form, and shows nobody a password', async (t) => {
    const [proxy, server] = [await startProxy(t), await plainServer(t)]
    const base = new URL(server.base.href.replace('//', '//ada:secret@'))
    assert.equal((await through({ http_proxy: withUser(proxy.url) }, base)).toString(), 'a plain page')
    assert.equal(proxy.seen[0]?.target, `${server.base.href}envelope.json`)
    assert.equal(proxy.seen[0]?.headers['proxy-authorization'], basic('bob:proxypass'))
    assert.equal(proxy.seen[0]?.headers.authorization, undefined)
    assert.equal(server.requests[0]?.headers.authorization, undefined)
    assert.equal(server.requests[0]?.headers['proxy-authorization'], undefined)
  })

  test('takes the variables in upper case where there are none in lower case, and a proxy without a scheme', async (t) => {
    const [proxy, server] = [await startProxy(t), await plainServer(t)]
    await through({ HTTP_PROXY: proxy.url.host }, server.base)
    assert.equal(proxy.seen.length, 1)
    await through({ HTTP_PROXY: 'http://127.0.0.1:1', http_proxy: proxy.url.href }, server.base)
    assert.equal(proxy.seen.length, 2)
  })

  test('leaves hosts of no_proxy alone, and everything where the source says so', async (t) => {
    const [proxy, server] = [await startProxy(t), await plainServer(t)]
    const env = { http_proxy: proxy.url.href, https_proxy: proxy.url.href }
    await through({ ...env, no_proxy: '127.0.0.1' }, server.base)
    await through({ ...env, NO_PROXY: '.example.org,localhost' }, secure)
    await through(env, server.base, 'none')
    await through(env, secure, 'none')
    assert.equal(proxy.seen.length, 0)
  })

  test('prefers the proxy of the source to that of the environment', async (t) => {
    const [proxy, server] = [await startProxy(t), await plainServer(t)]
    const env = { http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' }
    await through(env, server.base, proxy.url)
    await through(env, secure, proxy.url)
    assert.deepEqual(
      proxy.seen.map(({ method }) => method),
      ['GET', 'CONNECT'],
    )
  })

  test('tells a failure without a password anywhere in it', async (t) => {
    const proxy = await startProxy(t)
    proxy.refuse = 407
    const failure = await through({ https_proxy: withUser(proxy.url) }, secure).catch((error: unknown) => error)
    const dead = await through({ https_proxy: 'http://bob:proxypass@127.0.0.1:1/' }, secure).catch(
      (error: unknown) => error,
    )
    const invalid = await through({ https_proxy: 'socks5://bob:proxypass@host' }, secure).catch(
      (error: unknown) => error,
    )
    for (const [error, code] of [
      [failure, 'DOWNLOAD_FAILED'],
      [dead, 'DOWNLOAD_FAILED'],
      [invalid, 'SOURCE_INVALID'],
    ] as const) {
      assert.ok(error instanceof Error && 'code' in error)
      assert.equal(error.code, code)
      const text = describeAll(error)
      for (const secret of ['proxypass', 'secret', basic('bob:proxypass'), basic('ada:secret')]) {
        assert.ok(!text.includes(secret), text)
      }
    }
  })

  test('opens no socket offline', async (t) => {
    const server = await plainServer(t)
    await assert.rejects(fetchSmallFile(testMirror(server.base, { http: offlineHttp }), FILE), { code: 'OFFLINE' })
    assert.equal(server.requests.length, 0)
  })
})

/** An error with its causes, all that its objects hold. */
function describeAll(error: Error): string {
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error, name)))
  const details = 'details' in error ? JSON.stringify(error.details) : ''
  return [...own, details, error.cause instanceof Error ? describeAll(error.cause) : ''].join('\n')
}
