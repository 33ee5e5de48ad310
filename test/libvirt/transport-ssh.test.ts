/** The command line of ssh, and a real sshd with a private libvirtd behind it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Connect } from '../../src/libvirt/connect.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { quoteForShell, remoteCommand, sshCommand } from '../../src/libvirt/transport-ssh.ts'
import { resolveUri, type SshTarget } from '../../src/libvirt/uri.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { makeKey, type SshServer, startSshServer, withoutSshd } from '../support/ssh-server.ts'

function target(uri: string, readonly = false): SshTarget {
  const around = { env: {}, uid: 1000, home: '/h', exists: () => false, read: () => undefined }
  return resolveUri(uri, around, readonly) as SshTarget
}
const argsOf = (uri: string) => sshCommand(target(uri), {}).args.slice(0, -1)

describe('sshCommand', () => {
  test('has what libvirt has, and nothing that was not asked for', () => {
    assert.deepEqual(argsOf('qemu+ssh://host/system'), ['-T', '-e', 'none', '--', 'host'])
    const all = 'qemu+ssh://me@[::1]:22/system?keyfile=/k&no_tty=1&no_verify=1&known_hosts=/a%20%25%22'
    assert.equal(
      argsOf(all).join(' '),
      '-p 22 -l me -i /k -T -e none -o BatchMode=yes -o StrictHostKeyChecking=accept-new ' +
        '-o UserKnownHostsFile="/a %%\\"" -- ::1',
    )
    assert.equal(sshCommand(target('qemu+ssh://host/system?command=/opt/ssh'), {}).program, '/opt/ssh')
  })

  test('has advice for what ssh says', () => {
    const { hint } = sshCommand(target('qemu+ssh://host/system'), {})
    assert.match(hint('root@host: Permission denied (publickey).') ?? '', /keyfile=/)
    assert.match(
      hint('@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @ Host key verification failed.') ?? '',
      /ssh-keygen -R host/,
    )
    assert.match(hint('No ED25519 host key is known; Host key verification failed.') ?? '', /no_verify=1/)
    assert.match(hint('sh: 1: virt-ssh-helper: not found') ?? '', /proxy=netcat/)
    assert.equal(hint('something else'), undefined)
  })
})

describe('remoteCommand', () => {
  const decoy = (name: string, folder: string) => {
    const file = join(folder, name)
    writeFileSync(
      file,
      '#!/bin/sh\nif [ "$1" = -q ] && [ $# = 1 ]; then echo "nc: option requires an argument -- q"; exit 1; fi\nfor a; do printf "%s\\0" "$a"; done\n',
      { mode: 0o755 },
    )
    return file
  }

  test('hands each value over as one argument, whatever is in it', () => {
    const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
    try {
      const netcat = decoy('n c\'"$(x)', folder)
      decoy('virt-ssh-helper', folder)
      const run = (command: string) =>
        spawnSync('/bin/sh', ['-c', command], { env: { PATH: `${folder}:/bin:/usr/bin` }, encoding: 'utf8' }).stdout
      const base = target('qemu+ssh://host/system')
      const text = fc
        .string({ unit: 'binary', minLength: 1 })
        .filter((one) => !one.includes('\0') && one.isWellFormed())
      fc.assert(
        fc.property(text, (value) => {
          assert.equal(run(`printf %s ${quoteForShell(value)}`), value)
          assert.equal(
            run(remoteCommand({ ...base, proxy: 'netcat', netcat, socket: value })),
            ['-q', '0', '-U', value, ''].join('\0'),
          )
          assert.equal(run(remoteCommand({ ...base, proxy: 'auto', helperUri: value })), `${value}\0`)
          assert.equal(
            run(remoteCommand({ ...base, proxy: 'native', helperUri: value, readonly: true })),
            `-r\0${value}\0`,
          )
        }),
        { numRuns: 40 },
      )
    } finally {
      execFileSync('rm', ['-r', folder])
    }
  })
})

describe('Connect through ssh', { skip: withoutLibvirt || withoutSshd, timeout: 60_000 }, () => {
  let daemon: PrivateLibvirt
  let server: SshServer
  before(async () => {
    daemon = await startPrivateLibvirt()
    server = await startSshServer(daemon)
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await daemon?.stop()
  })
  const throughNetcat = (more: Readonly<Record<string, string | undefined>> = {}) =>
    server.uri('test|/default', { socket: daemon.socket, ...more })
  const fails = (uri: string, pattern: RegExp) =>
    assert.rejects(Connect.open(uri), (error) => {
      assert.ok(error instanceof ConnectionClosed, String(error))
      assert.match(error.message, pattern)
      return true
    })

  test('reaches the daemon by netcat, with events and several connections', async () => {
    await using connect = await Connect.open(throughNetcat())
    await using second = await Connect.open(throughNetcat())
    await using feed = connect.events('domain.lifecycle', { signal: AbortSignal.timeout(10_000) })
    await feed.ready
    const domain = await connect.domainLookupByName({ name: 'test' })
    await domain.suspend()
    for await (const { event } of feed) {
      assert.equal(event, 'suspended')
      break
    }
    await domain.resume()
    assert.equal((await second.listAllDomains()).length, 1)
    assert.equal(await second.getUri(), 'test:///default')
  })

  test('carries many bytes at once', async () => {
    await using connect = await Connect.open(throughNetcat())
    const domain = await connect.domainLookupByName({ name: 'test' })
    const metadata = `<m>${'x'.repeat(900_000)}</m>`
    await domain.setMetadata({ type: 'element', metadata, key: 'k', uri: 'urn:k' })
    const read = await Promise.all([1, 2, 3, 4].map(() => domain.getMetadata({ type: 'element', uri: 'urn:k' })))
    for (const text of read) assert.equal(text.length, metadata.length)
  })

  test('reaches the daemon by virt-ssh-helper, also for reading only', async () => {
    await using connect = await Connect.open(server.uri(server.helperTarget, { proxy: 'native' }))
    assert.ok((await connect.getHostname()).length > 0)
    await using automatic = await Connect.open(server.uri(server.helperTarget))
    assert.ok((await automatic.getHostname()).length > 0)
    await using reader = await Connect.open(server.uri(server.helperTarget), { readonly: true })
    await assert.rejects(
      reader.networkCreateXML({ xml: '<network/>' }),
      (error) => error instanceof LibvirtError && error.is('operationDenied'),
    )
  })

  test('says what ssh said, and what helps, when a key is refused', async () => {
    const stranger = join(server.folder, 'stranger')
    makeKey(stranger)
    await fails(
      throughNetcat({ keyfile: stranger }),
      /ssh to 127\.0\.0\.1 ended with status 255: .*Permission denied \(publickey.*keyfile=/,
    )
  })

  test('accepts an unknown host key only when told to, and then remembers it', async () => {
    const empty = join(server.folder, 'none yet')
    await fails(throughNetcat({ known_hosts: empty }), /Host key verification failed.*no_verify=1/)
    assert.equal(existsSync(empty), false)
    await using connect = await Connect.open(throughNetcat({ known_hosts: empty, no_verify: '1' }))
    assert.equal(connect.closed, undefined)
    await using again = await Connect.open(throughNetcat({ known_hosts: empty }))
    assert.equal(again.closed, undefined)
  })

  test('refuses a host key that has changed, also with no_verify', async () => {
    const changed = join(server.folder, 'changed')
    const [place] = execFileSync('cat', [server.knownHosts], { encoding: 'utf8' }).split(' ')
    makeKey(join(server.folder, 'other-host'))
    writeFileSync(
      changed,
      `${place} ${execFileSync('cat', [join(server.folder, 'other-host.pub')], { encoding: 'utf8' })}`,
    )
    for (const no_verify of [undefined, '1'])
      await fails(throughNetcat({ known_hosts: changed, no_verify }), /IDENTIFICATION HAS CHANGED.*ssh-keygen -R/)
  })

  test('says what is missing over there', async () => {
    await fails(throughNetcat({ socket: '/nonexistent/socket' }), /No such file or directory.*no daemon listens there/)
    await fails(throughNetcat({ netcat: '/nonexistent/nc' }), /\/nonexistent\/nc.*not found.*netcat=/)
    await fails(throughNetcat({ command: '/nonexistent/ssh' }), /cannot run \/nonexistent\/ssh.*command=/)
  })

  test('ends every call with the words of an ssh that dies', async () => {
    const connect = await Connect.open(throughNetcat())
    const calls = Array.from({ length: 20 }, () => connect.listAllDomains({}))
    const settled = Promise.allSettled(calls)
    server.dropConnections()
    for (const outcome of await settled)
      if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof ConnectionClosed)
    await assert.rejects(connect.listAllDomains(), /ssh to 127\.0\.0\.1 ended/)
    assert.match(connect.closed?.message ?? '', /ssh to 127\.0\.0\.1 ended with status 255.*the connection was lost/)
    await using again = await Connect.open(throughNetcat())
    assert.equal(again.closed, undefined)
  })

  test('is opened anew where that is asked for, by another ssh', async () => {
    await using connect = await Connect.open(throughNetcat(), { reconnect: { firstDelayMs: 20 } })
    const domain = await connect.domainLookupByName({ name: 'test' })
    server.dropConnections()
    for (const deadline = Date.now() + 10_000; connect.isConnected; await sleep(10)) assert.ok(Date.now() < deadline)
    assert.equal((await domain.getState()).state, 'running')
  })

  test('leaves no process behind', async () => {
    const connect = await Connect.open(throughNetcat())
    const mine = () =>
      execFileSync('ps', ['--ppid', String(process.pid), '-o', 'stat=,args='], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('BatchMode') && !line.startsWith('Z'))
    assert.equal(mine().length, 1)
    await connect.close()
    for (const deadline = Date.now() + 5000; mine().length > 0; await sleep(20))
      assert.ok(Date.now() < deadline, 'ssh still runs')
  })
})
