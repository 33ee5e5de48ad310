/** Choosing a mechanism, and a real libvirtd with Cyrus SASL and a database of users of its own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { chooseMechanism } from '../../src/libvirt/sasl.ts'
import { makeAuthority } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { makePlace, type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const withoutSasl = existsSync('/usr/sbin/saslpasswd2') ? false : 'sasl2-bin is not installed'

const unix = { transport: 'unix', isSecure: true, isVerified: true }
const tls = { transport: 'tls', isSecure: true, isVerified: true }
const tcp = { transport: 'tcp', isSecure: false, isVerified: true }
const fails = (name: LibvirtErrorName, pattern: RegExp) => (error: unknown) =>
  error instanceof LibvirtError && error.is(name) && error.local && pattern.test(error.message)

describe('chooseMechanism', () => {
  test('takes the strongest, whatever the order', () => {
    const all = 'PLAIN,SCRAM-SHA-1,EXTERNAL,SCRAM-SHA-256,ANONYMOUS,SCRAM-SHA-512,GSSAPI'
    assert.equal(chooseMechanism(all, undefined, unix), 'SCRAM-SHA-512')
    assert.equal(chooseMechanism('PLAIN,SCRAM-SHA-1', undefined, unix), 'SCRAM-SHA-1')
    assert.equal(chooseMechanism('GSSAPI,PLAIN', undefined, tls), 'PLAIN')
  })

  test('takes EXTERNAL over TLS only', () => {
    assert.equal(chooseMechanism('PLAIN,EXTERNAL', undefined, tls), 'EXTERNAL')
    assert.equal(chooseMechanism('PLAIN,EXTERNAL', undefined, unix), 'PLAIN')
  })

  test('takes the one that is named, in any case of letters', () => {
    assert.equal(chooseMechanism('PLAIN,SCRAM-SHA-256', 'plain', unix), 'PLAIN')
    assert.equal(chooseMechanism('ANONYMOUS,PLAIN', 'ANONYMOUS', unix), 'ANONYMOUS')
    assert.throws(
      () => chooseMechanism('PLAIN', 'GSSAPI', unix),
      fails('authFailed', /does not offer .* GSSAPI; it offers PLAIN/),
    )
  })

  test('shows a password to a daemon that nobody checked only when PLAIN is asked for by name', () => {
    const anybody = { ...tls, isVerified: false }
    assert.equal(chooseMechanism('PLAIN,SCRAM-SHA-256', undefined, anybody), 'SCRAM-SHA-256')
    assert.equal(chooseMechanism('PLAIN', 'PLAIN', anybody), 'PLAIN')
    assert.throws(
      () => chooseMechanism('PLAIN', undefined, anybody),
      fails('authUnavailable', /nobody checked.*no_verify.*auth=sasl\.PLAIN/),
    )
  })

  test('says why nothing can be spoken, and what to use instead', () => {
    assert.throws(
      () => chooseMechanism('GSSAPI,DIGEST-MD5', undefined, unix),
      fails('authUnavailable', /Kerberos.*scram-sha-256.*\+ssh/),
    )
    assert.throws(
      () => chooseMechanism('GSSAPI,PLAIN', 'gssapi', tls),
      fails('authUnavailable', /GSSAPI none is spoken/),
    )
    assert.throws(
      () => chooseMechanism('SCRAM-SHA-256', undefined, tcp),
      fails('authUnavailable', /over tcp .* encrypts .*\+tls or \+ssh/),
    )
    assert.throws(
      () => chooseMechanism('ANONYMOUS', undefined, unix),
      fails('authUnavailable', /ANONYMOUS none is spoken/),
    )
  })
})

describe('Connect with SASL', { skip: withoutLibvirt || withoutSasl, timeout: 60_000 }, () => {
  // Blanks, a comma, "=" and what SASLprep leaves as it is.
  const fred = { username: 'fred', password: 'le t,me=in \u00e9' }
  let daemon: PrivateLibvirt
  let client: string
  let [tlsPort, tcpPort] = [0, 0]
  before(async () => {
    const place = await makePlace()
    const authority = makeAuthority(join(place.folder, 'ca'))
    const server = join(place.folder, 'server')
    client = join(place.folder, 'client')
    for (const folder of [server, client]) mkdirSync(folder)
    authority.issue(server, 'server', { names: ['DNS:localhost'] })
    chmodSync(join(server, 'serverkey.pem'), 0o644)
    authority.issue(client, 'client')
    copyFileSync(authority.file, join(client, 'cacert.pem'))
    const users = join(place.folder, 'users.db')
    const add = ['-p', '-c', '-f', users, '-a', 'libvirt']
    execFileSync('saslpasswd2', [...add, fred.username], { input: fred.password })
    if (process.geteuid?.() === 0) chownSync(users, 65_534, 65_534)
    const mechanisms = 'scram-sha-1 scram-sha-224 scram-sha-256 scram-sha-384 scram-sha-512 plain anonymous digest-md5'
    writeFileSync(join(place.folder, 'libvirt.conf'), `mech_list: ${mechanisms}\nsasldb_path: ${users}\n`)
    ;[tlsPort, tcpPort] = [await freePort(), await freePort()]
    const config = `
      auth_unix_rw = "sasl"
      auth_tls = "sasl"
      auth_tcp = "sasl"
      listen_tls = 1
      listen_tcp = 1
      listen_addr = "127.0.0.1"
      tls_port = "${tlsPort}"
      tcp_port = "${tcpPort}"
      ca_file = "${authority.file}"
      cert_file = "${server}/servercert.pem"
      key_file = "${server}/serverkey.pem"
    `
    const withSasl = { ...place, env: { ...place.env, SASL_CONF_PATH: place.folder } }
    daemon = await startPrivateLibvirt({ place: withSasl, config, args: ['--listen'] })
  })
  after(() => daemon?.stop())
  const uri = (more = '') => `${daemon.uri('test:///default')}${more}`
  const overTls = (more = '') => `test://localhost:${tlsPort}/default?pkipath=${client}${more}`

  for (const mechanism of [
    'SCRAM-SHA-1',
    'SCRAM-SHA-224',
    'SCRAM-SHA-256',
    'SCRAM-SHA-384',
    'SCRAM-SHA-512',
    'PLAIN',
  ]) {
    test(`is let in by ${mechanism}, over the socket and over TLS`, async () => {
      for (const address of [uri(`&auth=sasl.${mechanism.toLowerCase()}`), overTls(`&auth=sasl.${mechanism}`)]) {
        await using connect = await Connect.open(address, { credentials: fred })
        assert.equal((await connect.listAllDomains()).length, 1)
      }
    })
  }

  test('is let in as nobody when that is asked for', async () => {
    await using connect = await Connect.open(uri('&auth=sasl.ANONYMOUS'))
    assert.equal(connect.closed, undefined)
  })

  test('takes the strongest by itself, and does not ask again for the connection of a stream', async () => {
    const mechanisms: string[] = []
    const credentials = async ({ mechanism }: { mechanism: string }) => {
      mechanisms.push(mechanism)
      return fred
    }
    await using connect = await Connect.open(uri(), { credentials })
    const domain = await connect.domainLookupByName({ name: 'test' })
    const { stream } = await domain.screenshot({ screen: 0 })
    stream.destroy()
    assert.deepEqual(mechanisms, ['SCRAM-SHA-512'])
  })

  test("takes libvirt's auth file where the program says nothing", async () => {
    const file = join(daemon.folder, 'auth.conf')
    const password = fred.password.replaceAll(' ', '\\s')
    writeFileSync(
      file,
      `[credentials-a]\nauthname=fred\npassword=${password}\n[auth-libvirt-localhost]\ncredentials=a\n`,
    )
    await using connect = await Connect.open(uri(`&authfile=${file}`))
    assert.equal(connect.closed, undefined)
  })

  test('tells a wrong password and an unknown user from nothing at all', async () => {
    const refused = (error: unknown) => error instanceof LibvirtError && error.is('authFailed') && !error.local
    for (const auth of ['', '&auth=sasl.plain']) {
      await assert.rejects(Connect.open(uri(auth), { credentials: { ...fred, password: 'x' } }), refused)
      await assert.rejects(Connect.open(uri(auth), { credentials: { ...fred, username: 'nobody' } }), refused)
    }
    await assert.rejects(
      Connect.open(uri()),
      fails('authFailed', /asks for a user name and a password \(SCRAM-SHA-512\)/),
    )
  })

  test('has no secret in the connection or in what it throws', async () => {
    await using connect = await Connect.open(uri(), { credentials: fred })
    const seen = [inspect(connect, { depth: Infinity, showHidden: true }), JSON.stringify(connect)]
    for (const auth of ['sasl.plain', 'sasl.digest-md5', 'polkit'])
      await Connect.open(uri(`&auth=${auth}`), { credentials: { ...fred, username: 'nobody' } }).catch(
        (error: unknown) => {
          seen.push(inspect(error, { depth: Infinity, showHidden: true }))
        },
      )
    assert.equal(seen.length, 5)
    for (const text of seen) assert.ok(!text.includes(fred.password))
  })

  test('sends nothing over plain TCP, where a mechanism would have to encrypt', async () => {
    const plain = Connect.open(`test+tcp://127.0.0.1:${tcpPort}/default`, {
      credentials: () => assert.fail('was asked'),
    })
    await assert.rejects(plain, fails('authUnavailable', /over tcp libvirt demands .* encrypts .*\+tls or \+ssh/))
  })
})
