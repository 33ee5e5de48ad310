import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { OciSession, parseChallenges } from '../../src/fetch/oci-session.ts'
import { basicAuth } from '../../src/fetch/open-file.ts'
import type { HttpRequest } from '../../src/ports.ts'

const PLACE = { server: new URL('https://registry.example/'), repository: 'vmpkg' }
const OWN = basicAuth('reader', 'own password')
const FILE = new URL('https://registry.example/v2/vmpkg/blobs/sha256:00')

interface Told {
  readonly url: string
  readonly authorization: string | undefined
}

/** A session whose token server answers with these bodies; one password, for the registry. */
function start(...bodies: readonly (string | { readonly status: number })[]) {
  const told: Told[] = []
  const http = {
    request: async ({ url, headers = {} }: HttpRequest) => {
      const body = bodies[told.length] ?? ''
      told.push({ url: url.href, authorization: headers['authorization'] })
      const [status, text] = typeof body === 'string' ? [200, body] : [body.status, '']
      return { status, headers: {}, body: Readable.from([Buffer.from(text)]) }
    },
  }
  const login = (url: URL) => (url.origin === PLACE.server.origin ? OWN : undefined)
  const session = new OciSession({ place: PLACE, http, login })
  const answer = async (challenge: string, url = FILE) =>
    session.answer(url, { headers: { 'www-authenticate': challenge } }, session.headersFor(url))
  return { session, told, answer }
}

const bearer = (realm: string, scope = 'repository:vmpkg:pull') =>
  `Bearer realm="${realm}",service="registry.example",scope="${scope}"`

describe('parseChallenges', () => {
  test('reads one or several, quoted or not, and nothing else', () => {
    assert.deepEqual(parseChallenges('Basic realm="a \\"b\\", c", Bearer realm=x , scope="y z"'), [
      { scheme: 'basic', parameters: new Map([['realm', 'a "b", c']]) },
      {
        scheme: 'bearer',
        parameters: new Map([
          ['realm', 'x'],
          ['scope', 'y z'],
        ]),
      },
    ])
    for (const text of ['', 'Negotiate', ',,,', 'realm="x"', `Basic ${'"'.repeat(10_000)}`]) {
      assert.ok(parseChallenges(text).length <= 1, text.slice(0, 20))
    }
  })
})

describe('OciSession', () => {
  test('says nothing unasked; then the password to its registry, and to nobody else (D12)', async () => {
    const { session, answer, told } = start()
    assert.deepEqual(session.headersFor(FILE), {})
    assert.equal(await answer('Basic realm="x"'), true)
    assert.deepEqual(session.headersFor(FILE), { authorization: OWN })
    assert.equal(await answer('Basic realm="x"'), false)
    for (const url of ['https://other.example/x', 'http://registry.example/x', 'https://registry.example:444/x']) {
      assert.deepEqual(session.headersFor(new URL(url)), {})
      assert.equal(await answer('Basic realm="x"', new URL(url)), false)
    }
    assert.deepEqual(told, [])
  })

  test('fetches a token with the password of the token server’s own address, and asks for what it had as well', async () => {
    const { session, answer, told } = start('{"token":"one"}', '{"access_token":"two"}')
    assert.equal(await answer(bearer('https://registry.example/token')), true)
    assert.deepEqual(session.headersFor(FILE), { authorization: 'Bearer one' })
    assert.equal(await answer(bearer('https://elsewhere.example/token', 'repository:vmpkg:push')), true)
    assert.deepEqual(session.headersFor(FILE), { authorization: 'Bearer two' })
    assert.deepEqual(
      told.map(({ authorization }) => authorization),
      [OWN, undefined],
    )
    const { searchParams } = new URL(told[1]?.url ?? '')
    assert.deepEqual(searchParams.getAll('scope'), ['repository:vmpkg:pull', 'repository:vmpkg:push'])
    assert.equal(searchParams.get('service'), 'registry.example')
  })

  test('many that are refused at once ask for one token', async () => {
    const { answer, told } = start('{"token":"one"}')
    const all = await Promise.all(Array.from({ length: 5 }, async () => answer(bearer('https://t.example/'))))
    assert.deepEqual(all, [true, true, true, true, true])
    assert.equal(told.length, 1)
  })

  test('refuses token servers without TLS, and answers that are no token', async () => {
    for (const realm of ['http://t.example/', 'http://127.0.0.1/', 'file:///x', '', 'https://u:p@t.example/']) {
      const { answer, told } = start('{"token":"one"}')
      await assert.rejects(answer(bearer(realm)), { code: 'DOWNLOAD_FAILED' }, realm)
      assert.deepEqual(told, [])
    }
    const wrong = ['', '{}', '{"token":1}', '{"token":"a\\r\\nb"}', '{"token":""}', 'x'.repeat(70_000), { status: 403 }]
    for (const body of wrong) {
      const { answer, session } = start(body)
      await assert.rejects(answer(bearer('https://t.example/')), { code: 'DOWNLOAD_FAILED' })
      assert.deepEqual(session.headersFor(FILE), {})
    }
  })
})
