/** A clone of the OS image behind a router, through libvirt: UEFI with variables of its own, and nothing left of it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cli, makeCli } from '../support/cli.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')

describe('a clone of an OS image', { timeout: 900_000 }, () => {
  let cli: Cli
  let nvram = ''
  const at = (...parts: string[]): string => join(cli.folder, ...parts)
  const virsh = async (args: readonly string[]): Promise<string> => {
    const { connection } = await cli.json(['status'])
    return execFileSync('virsh', ['-c', String(connection), ...args], { encoding: 'utf8' })
  }

  before(async () => {
    cli = await makeCli('private:os')
    for (const name of ['root', 'publisher', 'promoter', 'timestamp']) {
      await cli.ok(['key', 'generate', name, '--keys', at('keys'), '--no-passphrase'])
    }
    const roles = ['--publisher', 'publisher=*', '--promoter', 'promoter', '--timestamp', 'timestamp']
    await cli.ok([
      'repo',
      'init',
      at('registry'),
      '--keys',
      at('keys'),
      '--root-key',
      'root',
      '--threshold',
      '1',
      ...roles,
    ])
    const templates = ['router-uni', 'os-debian'].map((name) => join(TEMPLATES, name))
    await cli.ok(['build', ...templates, '--out', at('built')])
    const built = (await readdir(at('built'))).map((name) => at('built', name))
    await cli.ok(['publish', at('registry'), ...built, '--keys', at('keys')])
    await cli.ok(['source', 'add', 'example', at('registry'), '--root-file', at('registry', 'root', '1.json')])
    await cli.ok(['update'])
    await cli.ok(['install', '-y', '--grant', 'network', 'os-debian'])
  })
  after(async () => cli.close())

  test('is refused where the host has no firmware, with what to install', async () => {
    const hidden = 'mount -t tmpfs none /usr/share/qemu/firmware && exec "$@"'
    const prefix = ['unshare', '--mount', 'sh', '-c', hidden, 'sh']
    const { status, stderr } = await cli.run(['clone', 'os-debian', '--dry-run'], '', { prefix })
    assert.equal(status, 100)
    assert.match(stderr, /HOST_UNSUPPORTED[^]*ovmf/)
  })

  test('boots by firmware and gets a lease from the router', async () => {
    const { address, net } = await cli.json(['clone', 'os-debian', '--name', 'debian', '--ephemeral', '--wait'])
    assert.equal(net, 'uni0')
    assert.match(String(address), /^10\.1\.1\.\d+$/)
    const xml = await virsh(['dumpxml', 'debian'])
    nvram = /<nvram[^>]*>([^<]+)<\/nvram>/.exec(xml)?.[1] ?? ''
    assert.ok(nvram.startsWith(at('root')), nvram)
    assert.ok(existsSync(nvram))
  })

  test('is ready with its guest agent, and listens on no port', async () => {
    await cli.ok(['wait', 'debian', '--timeout', '240'])
    const { status, stderr } = await cli.run(['wait', 'debian', '--for', 'port:22', '--timeout', '1'])
    assert.equal(status, 100)
    assert.match(stderr, /GUEST_NOT_READY/)
    assert.match(stderr, /did not listen on port 22/)
  })

  test('tells its address by two mouths', async () => {
    const one = (await cli.ok(['ip', 'debian', '--one'])).trim()
    const { addresses } = await cli.json(['ip', 'debian'])
    assert.match(one, /^10\.1\.1\.\d+$/)
    assert.deepEqual(
      (addresses as { address: string; network: string; source: string }[]).map(({ address, network, source }) => [
        address,
        network,
        source,
      ]),
      [[one, 'uni0', 'agent']],
    )
  })

  test('runs a program with its streams and its status', async () => {
    const script = 'tr a-z A-Z; echo problem >&2; exit 7'
    const ran = await cli.run(['exec', 'debian', '--env', 'LANG=C', '--', 'sh', '-c', script], 'input')
    assert.deepEqual(ran, { status: 7, stdout: 'INPUT', stderr: 'problem\n' })
  })

  test('takes files and gives them back, whole and with their modes', async () => {
    const bytes = randomBytes(70_000)
    await mkdir(at('tree', 'sub'), { recursive: true })
    await writeFile(at('tree', 'sub', 'run'), bytes, { mode: 0o751 })
    await symlink('sub/run', at('tree', 'inside'))
    await cli.ok(['cp', '-r', at('tree'), 'debian:/root/copy'])
    await cli.ok(['exec', 'debian', '--', 'ln', '-s', '/etc/passwd', '/root/copy/outside'])
    const { status, stderr } = await cli.run(['cp', '-r', 'debian:/root/copy', at('back')])
    assert.deepEqual([status, /Left out outside: a link out of the copy/.test(stderr)], [1, true], stderr)
    assert.deepEqual((await readdir(at('back'))).toSorted(), ['inside', 'sub'])
    assert.ok((await readFile(at('back', 'inside'))).equals(bytes))
    assert.equal((await stat(at('back', 'sub', 'run'))).mode & 0o7777, 0o751)
  })

  test('lets ssh and scp in over a channel, without a key of its image, a question or a port', async () => {
    const ran = await cli.run(['ssh', 'debian', '--', 'hostname; ls /etc/ssh; echo problem >&2; exit 7'])
    assert.deepEqual([ran.status, ran.stderr], [7, 'problem\n'])
    assert.match(ran.stdout, /^debian\n/)
    assert.doesNotMatch(ran.stdout, /ssh_host/)
    const config = at('debian.conf')
    await writeFile(config, await cli.ok(['ssh-config', 'debian', '--host', 'deb']))
    const bytes = randomBytes(300_000)
    await writeFile(at('sent'), bytes)
    const env = { ...cli.env }
    execFileSync('scp', ['-q', '-F', config, at('sent'), 'deb:/root/sent'], { env })
    execFileSync('scp', ['-q', '-F', config, 'deb:/root/sent', at('got')], { env })
    assert.ok((await readFile(at('got'))).equals(bytes))
    // Two at once have a channel each; and a server that is another one is not believed.
    const both = await Promise.all(['one', 'two'].map(async (word) => cli.ok(['ssh', 'debian', '--', `echo ${word}`])))
    assert.deepEqual(both, ['one\n', 'two\n'])
    const swap = 'cd /run/vmpkg-ssh; rm host_key; ssh-keygen -q -t ed25519 -N "" -f other; cp other host_key.bad'
    await cli.ok(['exec', 'debian', '--no-stdin', '--', 'sh', '-c', `${swap}; ln -s host_key.bad host_key`])
    assert.equal(
      (await cli.ok(['ssh', 'debian', '--', 'echo three'])).trim(),
      'three',
      'the agent tells of the new one',
    )
    assert.match((await cli.run(['ssh', 'router-uni'])).stderr, /AGENT_UNAVAILABLE/)
  })

  test('refuses to run anything in a router', async () => {
    const { status, stderr } = await cli.run(['exec', 'router-uni', '--', 'true'])
    assert.equal(status, 100)
    assert.match(stderr, /AGENT_UNAVAILABLE/)
  })

  test('keeps none of its variables when it stops', async () => {
    await cli.ok(['stop', 'debian'])
    assert.equal(existsSync(nvram), false)
    assert.deepEqual((await cli.json(['gc', '--dry-run']))['removed'], [])
  })

  test('keeps its variables over a stop when it is not ephemeral, and loses them when it is removed', async () => {
    await cli.ok(['clone', 'os-debian', '--name', 'kept', '--wait'])
    nvram = /<nvram[^>]*>([^<]+)<\/nvram>/.exec(await virsh(['dumpxml', 'kept']))?.[1] ?? ''
    await cli.ok(['stop', 'kept'])
    assert.ok(existsSync(nvram))
    await cli.ok(['rm', '-y', 'kept'])
    assert.equal(existsSync(nvram), false)
    assert.deepEqual((await cli.json(['gc', '--dry-run']))['removed'], [])
  })
})
