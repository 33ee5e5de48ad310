/** A registry in an OCI registry as publishers and readers meet it: Debian's docker-registry with TLS, passwords and tokens, and a hostile one. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fetchToFile } from '../../src/fetch/file-download.ts'
import type { Mirror } from '../../src/fetch/mirror.ts'
import { OciSession } from '../../src/fetch/oci-session.ts'
import { basicAuth } from '../../src/fetch/open-file.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../../src/fetch/small-file.ts'
import { type Digested, sha256 } from '../../src/model/digest.ts'
import { readOciUrl } from '../../src/model/oci.ts'
import { systemHttp } from '../../src/node/http.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { parseTarget } from '../../src/publish/target-location.ts'
import { ociTarget } from '../../src/publish/target-oci.ts'
import { makeAuthority } from '../support/certificates.ts'
import { makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { testMirror } from '../support/mirror.ts'
import { type OciProxy, startOciProxy } from '../support/oci-proxy.ts'
import { type OciRegistry, startOciRegistry, withoutOci } from '../support/oci-registry.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { startTokenServer } from '../support/token-server.ts'

const MIB = 1024 * 1024
/** Of `publisher`, by htpasswd -B. */
const HTPASSWD = 'publisher:$2y$04$8ITkqzpWDMizKRIrKHxWMe9WhxIxMXJByLQ1jTkPYEIQ4/JigiZS6\n'
const PASSWORD = 'only-for-tests'
const LOGIN = basicAuth('publisher', PASSWORD)

function certificates(folder: string) {
  const authority = makeAuthority(join(folder, 'authority'))
  authority.issue(folder, 'server', { names: ['DNS:localhost', 'IP:127.0.0.1'] })
  return { authority, certificate: join(folder, 'servercert.pem'), key: join(folder, 'serverkey.pem') }
}

describe('the command line and an OCI registry', { skip: withoutOci }, () => {
  test('publishes over TLS with the password of docker login; readers update, fetch and mirror with that of auth.conf', async (t) => {
    const cli = await makeCli('private:oci')
    t.after(async () => cli.close())
    const { authority, ...tls } = certificates(await makeTempFolder(t))
    await using server = await startOciRegistry(join(cli.folder, 'oci'), { htpasswd: HTPASSWD, tls })
    const address = `oci://localhost:${server.port}/team/vmpkg`
    await using registry = await buildRegistry({ clock: fixedClock(new Date()), packages: [{ name: 'app-one' }] })
    const way = { env: { NODE_EXTRA_CA_CERTS: authority.file } }
    const run = async (...args: string[]) => cli.run(args, '', way)
    const ok = async (...args: string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(...args)
      assert.equal(status, 0, `vmpkg ${args.join(' ')}\n${stdout}${stderr}`)
      assert.ok(!`${stdout}${stderr}`.includes(PASSWORD))
      return stdout
    }
    const push = ['repo', 'push', registry.folder, address]
    assert.match((await run(...push)).stderr, /refuses us: 401 UNAUTHORIZED \[NO_RIGHTS\]\n +Log in with docker login/)
    await mkdir(join(cli.folder, '.docker'))
    const auths = { [`localhost:${server.port}`]: { auth: LOGIN.slice('Basic '.length) } }
    await writeFile(join(cli.folder, '.docker', 'config.json'), JSON.stringify({ auths }))
    assert.match(await ok(...push), /team\/vmpkg has version 2 now/)

    const add = ['source', 'add', 'example', address, '--root-file', join(registry.folder, 'root/1.json')]
    await ok(...add)
    assert.match((await run('update')).stderr, /status 401 \[DOWNLOAD_FAILED\]/)
    const root = cli.env['VMPKG_ROOT'] ?? ''
    const auth = join(root, 'etc/vmpkg/auth.conf')
    await writeFile(auth, `machine localhost:${server.port} login publisher password ${PASSWORD}\n`, { mode: 0o600 })
    await ok('update')
    await ok('download', 'app-one')
    await registry.add({ name: 'app-two' })
    await ok(...push)
    await ok('update')
    await ok('install', '-y', '--no-start', 'app-two')
    const copy = join(cli.folder, 'copy')
    await ok('repo', 'mirror', address, copy, '--root-file', join(registry.folder, 'root/1.json'))
    assert.deepEqual(await readdir(join(copy, 'package')), await readdir(join(registry.folder, 'package')))
    assert.match((await run('repo', 'gc', address, '--dry-run')).stderr, /Would remove 0 files/)
    assert.match((await run('repo', 'gc', address, '--keep-hours', '1')).stderr, /\[USAGE\]/)
    assert.match((await run('repo', 'gc', 's3://bucket/x')).stderr, /not over s3 \[USAGE\]/)
  })
})

describe('an OCI registry with tokens', { skip: withoutOci }, () => {
  test('is read without a password, written with one, and the password goes to no other server', async (t) => {
    const { authority, ...own } = certificates(await makeTempFolder(t))
    await using tokens = await startTokenServer(LOGIN, own)
    const token = { realm: tokens.realm, certificate: authority.file }
    await using server = await startOciRegistry(await makeTempFolder(t), { token })
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const address = `oci+http://${server.host}/vmpkg`
    const home = await makeTempFolder(t)
    await mkdir(join(home, '.docker'))
    const open = async (host: string) => {
      const auths = { [host]: { auth: LOGIN.slice('Basic '.length) } }
      await writeFile(join(home, '.docker', 'config.json'), JSON.stringify({ auths }))
      const location = parseTarget(address)
      assert.ok(location.kind === 'oci')
      return ociTarget(location.name, location.place, { http: systemHttp({}), env: {}, home })
    }
    // One for the registry is none for its token server.
    await using wrong = await open(server.host)
    await assert.rejects(pushRegistry({ ...registry, target: wrong }), { code: 'NO_RIGHTS' })
    assert.ok(tokens.told.length > 0 && tokens.told.every((one) => one === undefined))
    await using target = await open(new URL(tokens.realm).host)
    await pushRegistry({ ...registry, target })
    const place = readOciUrl(new URL(address))
    assert.ok(typeof place === 'object')
    const http = systemHttp({})
    const mirror: Mirror = { http, base: new URL(`${address}/`), oci: new OciSession({ place, http }) }
    tokens.told.length = 0
    for (let count = 0; count < 3; count++) {
      const file = await fetchSmallFile(mirror, { path: 'envelope.json', maxBytes: MIB })
      assert.deepEqual(file, await readFile(join(registry.folder, 'envelope.json')))
    }
    assert.deepEqual(tokens.told, [undefined])
  })
})

describe('reading from an OCI registry that is broken or hostile', { skip: withoutOci }, () => {
  const stack = new AsyncDisposableStack()
  let [server, proxy, registry]: [OciRegistry?, OciProxy?, TestRegistry?] = []
  let large: Digested & { readonly path: string } = { path: '', sha256: sha256(''), size: 0 }

  before(async () => {
    registry = stack.use(await buildRegistry({ packages: [{ name: 'app-one' }] }))
    server = stack.use(await startOciRegistry(join(registry.folder, '..', 'oci')))
    proxy = stack.use(await startOciProxy(server.port))
    const location = parseTarget(`oci+http://${proxy.host}/vmpkg`)
    assert.ok(location.kind === 'oci')
    await using target = await ociTarget(location.name, location.place, {
      http: systemHttp({}),
      env: {},
      home: '/none',
    })
    await pushRegistry({ ...registry, target })
    const bytes = Buffer.alloc(3 * MIB, 'large file')
    large = { path: `blob/${sha256(bytes)}`, sha256: sha256(bytes), size: bytes.length }
    await writeFile(join(registry.folder, large.path), bytes)
    await target.store(registry.folder, [large.path], () => {})
  })
  after(async () => stack.disposeAsync())

  type Misbehave = (incoming: IncomingMessage, response: ServerResponse) => boolean

  function meet(t: TestContext, misbehave?: Misbehave): { mirror: Mirror; proxy: OciProxy; folder: string } {
    assert.ok(proxy !== undefined && registry !== undefined)
    proxy.requests.length = 0
    proxy.misbehave = misbehave
    t.after(() => proxy !== undefined && (proxy.misbehave = undefined))
    const base = new URL(`oci+http://${proxy.host}/vmpkg/`)
    return { mirror: testMirror(base), proxy, folder: registry.folder }
  }

  /** Answers what is below this path. */
  function answering(below: string, answer: (response: ServerResponse) => void): Misbehave {
    return ({ url = '' }, response) => {
      if (!url.startsWith(`/v2/vmpkg/${below}`)) return false
      answer(response)
      return true
    }
  }

  test('a download that is cut goes on with a range, in the same run and in the next', async (t) => {
    let cuts = 0
    const half = (response: ServerResponse): void => {
      cuts++
      response.writeHead(200, { 'content-length': large.size })
      response.write(Buffer.alloc(large.size, 'large file').subarray(0, large.size / 2), () =>
        setTimeout(() => response.destroy(), 50),
      )
    }
    const { mirror, proxy: asked } = meet(t, (incoming, response) => {
      if (!incoming.url?.includes(large.sha256) || incoming.headers.range !== undefined) return false
      half(response)
      return true
    })
    const target = join(await makeTempFolder(t), 'file')
    await fetchToFile(mirror, { path: large.path, expected: large, target })
    assert.equal(sha256(await readFile(target)), large.sha256)
    assert.equal(cuts, 1)
    assert.equal(asked.requests.length, 2)

    const once = { ...mirror, retry: { fruitless: 1, total: 1, delayMs: 1 } }
    const second = `${target}-2`
    await assert.rejects(fetchToFile(once, { path: large.path, expected: large, target: second }), {
      code: 'DOWNLOAD_FAILED',
    })
    assert.ok((await stat(`${second}.partial`)).size > 0)
    await fetchToFile(mirror, { path: large.path, expected: large, target: second })
    assert.equal(cuts, 2)
    assert.equal(sha256(await readFile(second)), large.sha256)
  })

  test('a registry that knows no ranges is read from the start', async (t) => {
    const { mirror } = meet(t, ({ headers }) => {
      delete headers.range
      return false
    })
    const target = join(await makeTempFolder(t), 'file')
    await writeFile(`${target}.partial`, Buffer.alloc(MIB, 'large file'))
    await fetchToFile(mirror, { path: large.path, expected: large, target })
    assert.equal(sha256(await readFile(target)), large.sha256)
  })

  test('wrong bytes are refused, whatever digest the header claims', async (t) => {
    const { mirror, folder } = meet(t, (incoming, response) => {
      const [, digest] = /blobs\/sha256:([0-9a-f]{64})/.exec(incoming.url ?? '') ?? []
      if (digest === undefined) return false
      response.setHeader('docker-content-digest', `sha256:${digest}`)
      response.end(Buffer.alloc(large.size, 'something'))
      return true
    })
    await assert.rejects(fetchDigested(mirror, { path: large.path, expected: large }), { code: 'DIGEST_MISMATCH' })
    const envelope = { path: 'envelope.json', maxBytes: MIB }
    await assert.rejects(fetchSmallFile(mirror, envelope), { code: 'SIZE_EXCEEDED' })
    assert.ok((await stat(join(folder, 'envelope.json'))).size > 0)
  })

  test('a tagged file is refused where its bytes are not those of its manifest, and where either is too large', async (t) => {
    const envelope = { path: 'envelope.json', maxBytes: MIB }
    const other = meet(
      t,
      answering('blobs/', (response) => response.end('other')),
    )
    await assert.rejects(fetchSmallFile(other.mirror, envelope), { code: 'DIGEST_MISMATCH' })
    const endless = meet(
      t,
      answering('manifests/', (response) => response.end(Buffer.alloc(5 * MIB, ' '))),
    )
    await assert.rejects(fetchSmallFile(endless.mirror, envelope), { code: 'SIZE_EXCEEDED' })
    const huge = { layers: [{ digest: `sha256:${large.sha256}`, size: 2 ** 40 }] }
    const claims = meet(
      t,
      answering('manifests/', (response) => response.end(JSON.stringify(huge))),
    )
    await assert.rejects(fetchSmallFile(claims.mirror, envelope), { code: 'SIZE_EXCEEDED' })
    assert.ok(!claims.proxy.requests.some((one) => one.includes('/blobs/')), 'nothing of it was asked for')
    const none = meet(
      t,
      answering('manifests/', (response) => response.end('{"layers":"x"}')),
    )
    await assert.rejects(fetchSmallFile(none.mirror, envelope), { code: 'REGISTRY_INVALID' })
    const absent = meet(t)
    assert.equal(await findSmallFile(absent.mirror, { path: 'root/9.json', maxBytes: MIB }), undefined)
  })

  test('blobs may come from another server, which sees no password; manifests may not', async (t) => {
    await using elsewhere = await startOciProxy()
    const shown: unknown[] = []
    elsewhere.misbehave = ({ headers }, response) => {
      shown.push(headers.authorization)
      response.end(Buffer.alloc(large.size, 'large file'))
      return true
    }
    const away = (response: ServerResponse): void => {
      response.writeHead(307, { location: `http://${elsewhere.host}/elsewhere` }).end()
    }
    const asked: unknown[] = []
    const { mirror } = meet(t, (incoming, response) => {
      asked.push(incoming.headers.authorization)
      if (incoming.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      } else away(response)
      return true
    })
    const place = readOciUrl(mirror.base)
    assert.ok(typeof place === 'object')
    const known = { ...mirror, oci: new OciSession({ place, http: mirror.http, login: () => LOGIN }) }
    const bytes = await fetchDigested(known, { path: large.path, expected: large })
    assert.equal(bytes.length, large.size)
    assert.deepEqual([asked, shown], [[undefined, LOGIN], [undefined]])
    await assert.rejects(fetchSmallFile(known, { path: 'envelope.json', maxBytes: MIB }), { code: 'REDIRECT_REFUSED' })
    assert.equal(shown.length, 1)
  })
})
