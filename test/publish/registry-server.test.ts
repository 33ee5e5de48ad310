import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type AccessLine, type RegistryServer, serveRegistry } from '../../src/publish/registry-server.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

const withoutCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed'

async function serve(t: TestContext, registry: TestRegistry, onRequest?: (line: AccessLine) => void) {
  const options = { folder: registry.folder, host: '127.0.0.1', port: 0 }
  const server = await serveRegistry({ ...options, ...(onRequest === undefined ? {} : { onRequest }) })
  t.after(() => server.close())
  return server
}

/** A request exactly as written: clients would tidy the path up. */
async function ask(server: RegistryServer, line: string, headers = ''): Promise<{ status: number; text: string }> {
  const socket = connect(Number(server.url.port), server.url.hostname)
  socket.write(`${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`)
  const parts: Buffer[] = []
  for await (const chunk of socket) parts.push(chunk as Buffer)
  const text = Buffer.concat(parts).toString('latin1')
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text }
}

async function firstIn({ folder }: TestRegistry, kind: string): Promise<string> {
  return `${kind}/${(await readdir(join(folder, kind)))[0] ?? ''}`
}

describe('serveRegistry', () => {
  test('serves every file of a registry with its bytes, a strong tag and the right words on caching', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const server = await serve(t, registry)
    for (const kind of ['root', 'index', 'package', 'channels', 'history', 'map', 'transport', 'blob', '']) {
      const path = kind === '' ? 'envelope.json' : await firstIn(registry, kind)
      const response = await fetch(new URL(path, server.url))
      assert.equal(response.status, 200, path)
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), await readFile(join(registry.folder, path)))
      assert.match(response.headers.get('etag') ?? '', kind === 'root' ? /^W\// : /^"[0-9a-f]{64}"$/)
      const caching = response.headers.get('cache-control') ?? ''
      assert.match(caching, kind === '' ? /no-cache/ : /immutable/)
    }
  })

  test('answers ranges, conditions and HEAD as RFC 9110 says', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const server = await serve(t, registry)
    const path = await firstIn(registry, 'blob')
    const bytes = await readFile(join(registry.folder, path))
    const etag = `"${path.slice(5)}"`
    const get = async (headers: Record<string, string>, method = 'GET', name = path) => {
      const response = await fetch(new URL(name, server.url), { headers, method })
      return { status: response.status, body: Buffer.from(await response.arrayBuffer()), headers: response.headers }
    }
    const part = await get({ range: 'bytes=10-19' })
    assert.equal(part.status, 206)
    assert.equal(part.headers.get('content-range'), `bytes 10-19/${bytes.length}`)
    assert.deepEqual(part.body, bytes.subarray(10, 20))
    assert.deepEqual((await get({ range: 'bytes=-5' })).body, bytes.subarray(-5))
    assert.equal((await get({ range: `bytes=${bytes.length}-` })).status, 416)
    assert.equal((await get({ range: 'bytes=10-19', 'if-range': etag })).status, 206)
    assert.equal((await get({ range: 'bytes=10-19', 'if-range': '"other"' })).status, 200)
    // Not by fetch, which adds that it wants no cached answer.
    const condition = async (name: string, tag: string) =>
      (await ask(server, `GET /${name}`, `if-none-match: ${tag}\r\n`)).status
    assert.equal(await condition(path, etag), 304)
    assert.equal(await condition(path, '"other"'), 200)
    const head = await get({}, 'HEAD')
    assert.deepEqual([head.status, head.body.length], [200, 0])
    assert.equal(head.headers.get('content-length'), String(bytes.length))
    const envelope = await get({}, 'GET', 'envelope.json')
    const tag = envelope.headers.get('etag') ?? ''
    assert.equal(await condition('envelope.json', tag), 304)
    await registry.add({ name: 'app-two' })
    assert.equal(await condition('envelope.json', tag), 200)
    assert.equal((await get({}, 'POST')).status, 405)
    assert.equal((await get({}, 'DELETE', 'envelope.json')).status, 405)
  })

  test('serves nothing else: not by climbing, encoding, links, folders or names that are none of a registry', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder } = registry
    const outside = join(dirname(folder), 'outside')
    await mkdir(outside)
    const digest = 'ab'.repeat(32)
    await writeFile(join(outside, 'secret'), 'the secret')
    await writeFile(join(outside, digest), 'the secret')
    await symlink(join(outside, 'secret'), join(folder, 'blob', digest))
    await symlink(outside, join(folder, 'linked'))
    await writeFile(join(folder, 'notes.txt'), 'the secret')
    await writeFile(join(folder, '.mirror.json'), 'the secret')
    await mkdir(join(folder, 'incoming'))
    await writeFile(join(folder, 'incoming', `${digest}.json`), 'the secret')
    await mkdir(join(folder, 'map', digest))
    const server = await serve(t, registry)
    const paths = [
      '/',
      '/blob',
      '/blob/',
      '/root/',
      `/blob/${digest}`,
      `/map/${digest}`,
      `/linked/${digest}`,
      '/linked/secret',
      '/notes.txt',
      '/.lock',
      '/.mirror.json',
      `/incoming/${digest}.json`,
      '/../outside/secret',
      '/blob/../../outside/secret',
      '/%2e%2e/outside/secret',
      '/..%2foutside%2fsecret',
      '/blob/..%5c..%5coutside',
      `/blob/${digest}%00`,
      '/root/1.json/',
      '/root/01.json',
      '/root//1.json',
      '//root/1.json',
      '/./root/1.json',
      '/root/%31.json',
      '/ROOT/1.json',
      'http://127.0.0.1/root/1.json',
      '/etc/passwd',
      '//etc/passwd',
      '*',
      '/\u00ff',
    ]
    for (const path of paths) {
      const { status, text } = await ask(server, `GET ${path}`)
      assert.ok(status === 404 || status === 400, `${path} was answered with ${status}`)
      assert.ok(!text.includes('the secret'), path)
    }
    assert.equal((await ask(server, 'GET /root/1.json?x=../../outside')).status, 200)
    await rename(join(folder, 'map'), join(outside, 'map'))
    await symlink(join(outside, 'map'), join(folder, 'map'))
    const [map = ''] = await readdir(join(outside, 'map'))
    assert.equal((await ask(server, `GET /map/${map}`)).status, 404, 'a folder that is a link')
    assert.equal((await ask(server, 'GARBAGE')).status, 400)
    assert.equal((await ask(server, 'GET /root/1.json', `x-long: ${'x'.repeat(10_000)}\r\n`)).status, 431)
  })

  test('tells of every request and stops with connections open', async (t) => {
    await using registry = await buildRegistry()
    const lines: AccessLine[] = []
    const server = await serve(t, registry, (line) => lines.push(line))
    await ask(server, 'GET /root/1.json')
    await ask(server, 'GET /nothing')
    const idle = connect(Number(server.url.port), server.url.hostname)
    idle.on('error', () => {})
    await server.close()
    idle.destroy()
    assert.deepEqual(
      lines.map(({ method, path, status }) => [method, path, status]),
      [
        ['GET', '/root/1.json', 200],
        ['GET', '/nothing', 404],
      ],
    )
    assert.equal(lines[0]?.client, '127.0.0.1')
    await assert.rejects(fetch(server.url))
  })

  test('refuses a folder that is no registry, and an address that is taken', async (t) => {
    await using registry = await buildRegistry()
    const server = await serve(t, registry)
    const taken = { folder: registry.folder, host: '127.0.0.1', port: Number(server.url.port) }
    await assert.rejects(serveRegistry(taken), { code: 'USAGE' })
    await rm(join(registry.folder, 'envelope.json'))
    await assert.rejects(serveRegistry({ ...taken, port: 0 }), { code: 'REGISTRY_INVALID' })
    assert.equal((await fetch(new URL('envelope.json', server.url))).status, 500)
  })

  test('curl resumes from it', { skip: withoutCurl }, async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const server = await serve(t, registry)
    const path = await firstIn(registry, 'blob')
    const bytes = await readFile(join(registry.folder, path))
    const part = join(dirname(registry.folder), 'part')
    await writeFile(part, bytes.subarray(0, 100))
    const { spawn } = await import('node:child_process')
    const child = spawn('curl', [
      '--silent',
      '--fail',
      '--continue-at',
      '-',
      '--output',
      part,
      `${server.url.href}${path}`,
    ])
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
    assert.equal(status, 0)
    assert.deepEqual(await readFile(part), bytes)
  })
})
