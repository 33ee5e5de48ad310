import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CredentialsSource, findLogin } from '../../src/libvirt/credentials.ts'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'

const auth = '[credentials-x]\nauthname=stored\npassword=word\n[auth-libvirt-default]\ncredentials=x\n'
const around: Surroundings = {
  env: {},
  uid: 1,
  home: '/h',
  exists: () => false,
  read: (path) => (path === '/auth' ? auth : undefined),
}
const find = (source: CredentialsSource | undefined, authFile?: string, signal?: AbortSignal) =>
  findLogin('PLAIN', { host: 'h', authFile }, source, around, signal)
const fails = (name: LibvirtErrorName, pattern: RegExp) => (error: unknown) =>
  error instanceof LibvirtError && error.is(name) && error.local && pattern.test(error.message)

describe('findLogin', () => {
  test('takes what the program says before what is stored', async () => {
    const given = { username: 'a', password: 'b' }
    assert.deepEqual(await find(given, '/auth'), given)
    assert.deepEqual(await find(() => given, '/auth'), given)
    assert.deepEqual(await find(undefined, '/auth'), { username: 'stored', password: 'word' })
  })

  test('names what is lacking and where it could be given', async () => {
    await assert.rejects(
      find(undefined),
      fails(
        'authFailed',
        /user name and a password \(PLAIN\).*`credentials`.*LIBVIRT_AUTH_FILE.*authfile=.*\/h\/\.config\/libvirt\/auth\.conf/,
      ),
    )
    await assert.rejects(find({ username: 'a' }), fails('authFailed', /asks for a password/))
  })

  test('hands on that nobody answered, what the function throws, and the signal', async () => {
    await assert.rejects(
      find(() => undefined),
      fails('authCancelled', /no credentials/),
    )
    await assert.rejects(
      find(() => Promise.reject(new TypeError('mine'))),
      { name: 'TypeError', message: 'mine' },
    )
    const controller = new AbortController()
    const late = find(
      () => {
        controller.abort()
        return { username: 'a', password: 'b' }
      },
      undefined,
      controller.signal,
    )
    await assert.rejects(late, { name: 'AbortError' })
  })
})
