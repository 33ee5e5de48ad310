import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { resolveUri, type Target } from '../../src/libvirt/uri.ts'

const user = (more: Partial<Surroundings> = {}): Surroundings => ({
  env: { XDG_RUNTIME_DIR: '/run/user/1000' },
  uid: 1000,
  home: '/home/user',
  exists: () => false,
  read: () => undefined,
  ...more,
})
/** The surroundings with these files; paths of `exists` are empty ones. */
const withFiles = (files: Readonly<Record<string, string>>, more: Partial<Surroundings> = {}) =>
  user({ exists: (path) => path in files, read: (path) => files[path], ...more })
const resolve = <T extends Target['transport']>(
  transport: T,
  uri: string | undefined,
  around = user(),
  readonly = false,
): Extract<Target, { transport: T }> => {
  const target = resolveUri(uri, around, readonly)
  assert.equal(target.transport, transport)
  return target as Extract<Target, { transport: T }>
}
const unix = (uri: string | undefined, around?: Surroundings, readonly?: boolean) =>
  resolve('unix', uri, around, readonly)
const refuses = (uri: string, name: LibvirtErrorName, pattern: RegExp, around = user()) =>
  assert.throws(
    () => resolveUri(uri, around, false),
    (error) => error instanceof LibvirtError && error.is(name) && error.local && pattern.test(error.message),
  )
const SYSTEM = '/var/run/libvirt'
const SESSION = '/run/user/1000/libvirt'

describe('resolveUri', () => {
  test('finds the system daemon, and may not start it', () => {
    const { name, sockets, spawn } = unix('qemu:///system')
    assert.deepEqual(
      { name, sockets, spawn },
      {
        name: 'qemu:///system',
        sockets: [`${SYSTEM}/libvirt-sock`, `${SYSTEM}/virtqemud-sock`],
        spawn: false,
      },
    )
  })

  test('finds the session daemon, and may start it', () => {
    const { sockets, spawn } = unix('qemu:///session')
    assert.deepEqual([sockets[0], spawn], [`${SESSION}/libvirt-sock`, true])
    assert.equal(unix('qemu:///session', user({ env: { LIBVIRT_AUTOSTART: '0' } })).spawn, false)
  })

  test('prefers the modular daemon where its socket exists, and obeys the mode', () => {
    const modular = user({ exists: (path) => path === `${SYSTEM}/virtqemud-sock` })
    assert.equal(unix('qemu:///system', modular).sockets[0], `${SYSTEM}/virtqemud-sock`)
    assert.deepEqual(unix('qemu:///system?mode=legacy', modular).sockets, [`${SYSTEM}/libvirt-sock`])
    assert.deepEqual(unix('qemu:///system?mode=direct').sockets, [`${SYSTEM}/virtqemud-sock`])
  })

  test('takes the read-only socket of the system only', () => {
    assert.equal(unix('qemu:///system', user(), true).sockets[0], `${SYSTEM}/libvirt-sock-ro`)
    assert.equal(unix('qemu:///session', user(), true).sockets[0], `${SESSION}/libvirt-sock`)
  })

  test('sends root to the system daemon whatever the path says', () => {
    const { sockets, spawn } = unix('qemu:///session', user({ uid: 0 }))
    assert.deepEqual([sockets[0], spawn], [`${SYSTEM}/libvirt-sock`, false])
  })

  test('takes a given socket and keeps our own parameters to itself', () => {
    const { name, sockets, spawn } = unix('qemu+unix:///system?socket=/a/b&no_tty=1&x=y')
    assert.deepEqual({ name, sockets, spawn }, { name: 'qemu:///system?x=y', sockets: ['/a/b'], spawn: false })
    assert.equal(unix('qemu:///system?name=test:///default').name, 'test:///default')
  })

  test('has a default by the environment, then by the user', () => {
    assert.equal(unix(undefined).uri, 'qemu:///session')
    assert.equal(unix(undefined, user({ uid: 0 })).uri, 'qemu:///system')
    const env = { LIBVIRT_DEFAULT_URI: 'test:///default' }
    assert.equal(unix(undefined, user({ env })).name, 'test:///default')
  })

  test('looks for the session where there is no runtime folder', () => {
    assert.equal(unix('qemu:///session', user({ env: {} })).sockets[0], '/home/user/.cache/libvirt/libvirt-sock')
    const env = { XDG_CACHE_HOME: '/cache' }
    assert.equal(unix('qemu:///session', user({ env })).sockets[0], '/cache/libvirt/libvirt-sock')
  })

  test('takes the empty text for none', () => {
    assert.equal(unix('').uri, 'qemu:///session')
  })

  test('finds the daemon of each driver', () => {
    assert.deepEqual(unix('network:///system?mode=direct').sockets, [`${SYSTEM}/virtnetworkd-sock`])
    assert.deepEqual(unix('storage:///session?mode=direct').programs, ['virtstoraged'])
    assert.deepEqual(unix('nodedev:///session').programs, ['virtnodedevd', 'libvirtd'])
    const proxied = withFiles({ [`${SYSTEM}/libvirt-sock`]: '' })
    assert.equal(unix('secret:///system', proxied).sockets[0], `${SYSTEM}/libvirt-sock`)
  })

  test('writes the name as the daemon shall read it', () => {
    assert.equal(unix('qemu:///system?Socket=/a&b=%26%20x;c&=ignored').name, 'qemu:///system?b=%26%20x%3Bc')
    assert.equal(unix('test:///a%20b?c;d=1').name, 'test:///a%20b?c=&d=1')
    assert.equal(unix('xen').name, 'xen:///system')
    assert.equal(resolve('ssh', 'remote+ssh://host/').name, '')
  })

  test('knows when an address forgoes to check who answers', () => {
    const isVerified = (uri: string) => resolveUri(uri, user(), false).isVerified
    for (const uri of ['qemu+tls://host/system', 'qemu+ssh://host/system', 'qemu+ssh://host/system?no_verify=1'])
      assert.equal(isVerified(uri), true, uri)
    for (const uri of ['qemu+tls://host/system?no_verify=1', 'qemu+ssh://host/system?known_hosts_verify=ignore'])
      assert.equal(isVerified(uri), false, uri)
  })

  test('says what is local and what is secret', () => {
    const traits = (uri: string) => {
      const { isLocal, isSecure, spawn } = resolveUri(uri, user(), false)
      return [isLocal, isSecure, spawn]
    }
    assert.deepEqual(traits('qemu:///session'), [true, true, true])
    assert.deepEqual(traits('qemu:///session?socket=/a'), [true, true, false])
    assert.deepEqual(traits('qemu+ssh://host/session'), [false, true, false])
    assert.deepEqual(traits('qemu+tls://host/session'), [false, true, false])
    assert.deepEqual(traits('qemu+tcp://host/session'), [false, false, false])
    assert.deepEqual(traits('qemu+ext:///session?command=/bin/cat'), [false, false, false])
  })

  test('takes TLS for a host without a transport, with the usual ports', () => {
    assert.deepEqual(
      (({ host, port, verify, sanity, priority, pkiPath }) => [host, port, verify, sanity, priority, pkiPath])(
        resolve('tls', 'qemu://host/system'),
      ),
      ['host', 16_514, true, true, undefined, undefined],
    )
    const chosen = resolve('tls', 'qemu+tls://[::1]:7/system?no_verify=1&no_sanity=0&tls_priority=NORMAL&pkipath=/p')
    assert.deepEqual(
      [chosen.host, chosen.port, chosen.verify, chosen.sanity, chosen.priority, chosen.pkiPath],
      ['::1', 7, false, true, 'NORMAL', '/p'],
    )
    assert.equal(resolve('tcp', 'qemu+tcp:///system').host, 'localhost')
    assert.equal(resolve('tcp', 'qemu+tcp:///system').port, 16_509)
  })

  test('chooses how to reach the socket behind ssh', () => {
    const proxy = (uri: string) => resolve('ssh', uri).proxy
    assert.equal(proxy('qemu+ssh://host/system'), 'auto')
    assert.equal(proxy('qemu+ssh://host/session'), 'native')
    assert.equal(proxy('qemu+ssh://host/session?socket=/s'), 'netcat')
    assert.equal(proxy('qemu+ssh://host/session?proxy=auto'), 'native')
    assert.equal(proxy('qemu+ssh://host/system?proxy=auto&socket=/s'), 'netcat')
    assert.equal(proxy('qemu+ssh://host/system?netcat=ncat'), 'netcat')
    assert.equal(proxy('qemu+ssh://host/system?proxy=native'), 'native')
    const { socket, helperUri } = resolve('ssh', 'qemu+ssh://host/system?mode=direct&x=1', user(), true)
    assert.deepEqual([socket, helperUri], [`${SYSTEM}/virtqemud-sock-ro`, 'qemu:///system?x=1&mode=direct'])
    assert.equal(
      resolve('ssh', 'qemu+ssh://host/session?proxy=native&socket=/s').helperUri,
      'qemu:///session?socket=%2Fs',
    )
    refuses('qemu+ssh://host/session?proxy=netcat', 'invalidArg', /session.*socket=/)
    refuses('qemu+ssh://host/session?netcat=nc', 'invalidArg', /netcat=/)
    refuses('qemu+ssh://host/system?proxy=native&netcat=nc', 'invalidArg', /netcat=/)
  })

  test('turns what the URI says of host keys into a setting of ssh', () => {
    const checking = (query: string) => resolve('ssh', `qemu+ssh://host/system${query}`).hostKeyChecking
    assert.equal(checking(''), undefined)
    assert.equal(checking('?no_verify=1'), 'accept-new')
    assert.equal(checking('?no_verify=0'), undefined)
    assert.equal(checking('?known_hosts_verify=auto'), 'accept-new')
    assert.equal(checking('?known_hosts_verify=ignore'), 'no')
  })

  test('reads libvirt.conf: the default, aliases and defaults of parameters', () => {
    const conf = `
      uri_aliases = [ "hail=qemu+ssh://root@hail.example/system", "here=qemu:///system" ]
      uri_default = "here"
      remote_mode = "legacy"
      remote_proxy = "netcat"
      tls_priority = "NORMAL"
    `
    const around = withFiles({ '/home/user/.config/libvirt/libvirt.conf': conf })
    assert.deepEqual(unix(undefined, around).sockets, [`${SYSTEM}/libvirt-sock`])
    assert.equal(unix(undefined, around).uri, 'qemu:///system')
    const { host, user: login, proxy } = resolve('ssh', 'hail', around)
    assert.deepEqual([host, login, proxy], ['hail.example', 'root', 'netcat'])
    assert.equal(resolve('tls', 'qemu://host/system', around).priority, 'NORMAL')
    const moved = withFiles({ '/c/libvirt/libvirt.conf': conf }, { env: { XDG_CONFIG_HOME: '/c' } })
    assert.equal(unix('here', moved).uri, 'qemu:///system')
    const root = withFiles({ '/etc/libvirt/libvirt.conf': conf }, { uid: 0, env: { XDG_CONFIG_HOME: '/c' } })
    assert.equal(unix('here', root).uri, 'qemu:///system')
    const env = { LIBVIRT_DEFAULT_URI: 'test:///default', XDG_CONFIG_HOME: '/c' }
    assert.equal(unix(undefined, withFiles({ '/c/libvirt/libvirt.conf': conf }, { env })).uri, 'test:///default')
    refuses(
      'qemu:///system',
      'confSyntax',
      /^\/c\/libvirt\/libvirt\.conf:1: /,
      withFiles({ '/c/libvirt/libvirt.conf': '=' }, { env }),
    )
    refuses(
      'qemu:///system',
      'invalidArg',
      /remote_mode/,
      withFiles({ '/c/libvirt/libvirt.conf': 'remote_mode="x"' }, { env }),
    )
  })

  for (const [uri, pattern] of [
    ['qemu', /no libvirt URI/],
    ['qemu:///system?mode=x', /mode .* auto, direct, legacy/],
    ['qemu:///system?no_verify=yes', /no_verify/],
    ['qemu+ssh://host/system?proxy=x', /proxy/],
    ['qemu+ssh://host/system?known_hosts_verify=x', /known_hosts_verify/],
    ['qemu:///system?auth=x', /auth is "x"/],
    ['qemu+ext:///system', /command=/],
  ] as const) {
    test(`refuses ${JSON.stringify(uri)}`, () => refuses(uri, 'invalidArg', pattern))
  }

  test('says what is not spoken, and what to use instead', () => {
    refuses('qemu+libssh2://host/system', 'noSupport', /\+ssh/)
    refuses('qemu+libssh://host/system', 'noSupport', /\+ssh/)
    refuses('esx://host/', 'noSupport', /no daemon/)
    refuses('qemu:///embed?root=/a', 'noSupport', /no daemon/)
  })
})
