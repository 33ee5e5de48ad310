/**
 * The main job, end to end, with nothing replaced: images built from Debian packages, a registry signed by 2 of 3 root
 * keys, a private host with its own libvirtd, a router and a client in QEMU, and a web server on the uplink.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'

const TOP = join(import.meta.dirname, '..', '..')
const SERVER = '198.51.100.1'

interface StatusResult {
  readonly machines: readonly Readonly<Record<string, unknown>>[]
}

const SUPPORT = join(TOP, 'test', 'support')

describe('from a template folder to a client behind a router', { timeout: 900_000 }, () => {
  let cli: Cli
  let server: ChildProcess | undefined
  const at = (...parts: string[]): string => join(cli.folder, ...parts)

  before(async () => {
    cli = await makeCli()
  })

  after(async () => {
    server?.stdin?.end()
    await cli.close()
  })

  /** Runs a program as a machine beside the router's WAN. */
  const onUplink = (outer: string, ...words: readonly string[]): Promise<string> => {
    const place = ['sh', join(SUPPORT, 'on-bridge.sh'), 'vmp-uplink', outer.replace(/\.\d+$/, '.5/24')]
    return cli.ok(['host', 'private', 'shell', 'e2e', '--', ...place, ...words])
  }

  test('a publisher makes keys and a registry whose root needs two of three signatures', async () => {
    for (const name of ['root-a', 'root-b', 'root-c', 'publisher', 'promoter', 'timestamp']) {
      await cli.ok(['key', 'generate', name, '--keys', at('keys'), '--no-passphrase'])
    }
    const roots = ['root-a', 'root-b', 'root-c'].flatMap((name) => ['--root-key', name])
    const roles = ['--publisher', 'publisher=*', '--promoter', 'promoter', '--timestamp', 'timestamp']
    await cli.ok(['repo', 'init', at('registry'), '--keys', at('keys'), ...roots, '--threshold', '2', ...roles])
  })

  test('two templates are built and published', async () => {
    const templates = ['router-uni', 'app-console'].map((name) => join(TOP, 'templates', name))
    await cli.ok(['build', ...templates, '--out', at('built')])
    const built = (await readdir(at('built'))).map((name) => at('built', name))
    assert.equal(built.length, 2)
    await cli.ok(['publish', at('registry'), ...built, '--keys', at('keys')])
    const again = await cli.ok(['publish', at('registry'), ...built, '--keys', at('keys')])
    assert.match(again, /nothing to do/)
  })

  test('a user trusts the registry by its root file and sees its packages', async () => {
    await cli.ok(['source', 'add', 'example', at('registry'), '--root-file', at('registry', 'root', '1.json')])
    await cli.ok(['update'])
    assert.match(await cli.ok(['list']), /router-uni/)
    assert.match(await cli.ok(['search', 'firewall']), /router-uni/)
    assert.match(await cli.ok(['show', 'router-uni']), /Capabilities: network/)
  })

  test('-y does not grant a capability, and nothing is done without it', async () => {
    const { status, stderr } = await cli.run(['install', '-y', 'router-uni'])
    assert.equal(status, 100)
    assert.match(stderr, /CAPABILITY_NOT_GRANTED/)
    assert.equal((await cli.run(['list', '--installed'])).status, 1)
    assert.deepEqual((await cli.json(['ps', '--all']))['machines'], [])
  })

  test('installing the router boots it, attests its rules and opens its LAN', async () => {
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'app-console'])
    const { machines } = (await cli.json(['status', 'router-uni'])) as { machines: Record<string, unknown>[] }
    const [router] = machines
    assert.equal(router?.['state'], 'running')
    assert.equal(router?.['ready'], 'yes')
    assert.equal(router?.['rules'], 'attested')
    assert.equal(router?.['lanLink'], 'up')
    assert.equal(router?.['lanAddress'], '10.1.1.1')
  })

  test('installing it again changes nothing and says so', async () => {
    assert.match(await cli.ok(['install', '-y', 'router-uni']), /already installed/)
  })

  test('a clone gets a lease from the router', async () => {
    const { address, net } = await cli.json(['clone', 'app-console', '--name', 'client', '--ephemeral', '--wait'])
    assert.equal(net, 'uni0')
    assert.match(String(address), /^10\.1\.1\.\d+$/)
  })

  test('the clone reaches a server on the uplink, which sees no address of a client', async () => {
    server = spawn(
      process.execPath,
      [
        join(TOP, 'src', 'bin.ts'),
        'host',
        'private',
        'shell',
        'e2e',
        '--',
        process.execPath,
        join(TOP, 'test', 'support', 'uplink-server.ts'),
        SERVER,
        '8080',
      ],
      { env: cli.env, stdio: ['pipe', 'pipe', 'inherit'] },
    )
    await new Promise((resolve, reject) => {
      server?.stdout?.once('data', resolve)
      server?.once('exit', () => reject(new Error('the server on the uplink did not start')))
    })
    const said = await cli.ok(['console', 'client', '--silence', '5'], `fetch http://${SERVER}:8080/\n`)
    const [, source = ''] = /you came from (?:::ffff:)?([\d.]+)/.exec(said) ?? []
    assert.match(source, /^192\.168\.\d+\.\d+$/, said)
  })

  test('a port of the router leads to the client that it was declared for, and the router attests the rules for it', async () => {
    await cli.ok(['port-forward', 'add', 'client', 'tcp/8081:80'])
    const [router] = (JSON.parse(await cli.ok(['status', 'router-uni', '--json'])) as StatusResult).machines
    assert.equal(router?.['rules'], 'attested')
    const outer = String(router?.['wanAddress'])
    await cli.ok(['console', 'client', '--silence', '2'], '(echo forwarded | nc -l -p 80) &\n')
    const script = `require('node:net').connect(8081, '${outer}').setTimeout(20_000).on('timeout', process.exit).pipe(process.stdout)`
    assert.equal(await onUplink(outer, process.execPath, '-e', script), 'forwarded\n')
    await cli.ok(['port-forward', 'remove', 'client'])
  })

  test('machines of a pool send nothing until they are taken, are then each somebody of their own, and are made anew', async () => {
    await cli.ok(['pool', 'set', 'app-console', '2'])
    const { connection } = (await cli.json(['status'])) as { connection: string }
    const virsh = (...words: readonly string[]): string => run('virsh', ['-q', '-c', connection, ...words])
    /** Frames from its guest since its card was there. */
    const sent = (domain: string): number => {
      const tap = /vnet\d+/.exec(virsh('domiflist', domain))?.[0] ?? ''
      return Number(/tx_packets (\d+)/.exec(virsh('domifstat', domain, tap))?.[1])
    }
    const ready = async (): Promise<unknown> => {
      const { pools } = (await cli.json(['pool', 'list'])) as { pools: readonly { ready: number }[] }
      return pools[0]?.ready
    }
    const waiting = virsh('list', '--state-paused', '--name').trim().split('\n')
    assert.equal(waiting.length, 2)
    assert.deepEqual(waiting.map(sent), [0, 0])
    // At once: never do two commands get the same.
    const names = ['one', 'two'] as const
    const taken = await Promise.all(
      names.map(async (name) => cli.json(['clone', 'app-console', '--name', name, '--ephemeral', '--wait'])),
    )
    assert.deepEqual(
      taken.map(({ name, pooled }) => [name, pooled]),
      [
        ['one', true],
        ['two', true],
      ],
    )
    assert.ok(waiting.map(sent).every((frames) => frames > 0))
    const words =
      'cat /etc/machine-id; hostname; cat /sys/class/net/nic0/address; cat /proc/sys/kernel/random/uuid; date -u +%Y\n'
    const said = await Promise.all(names.map((name) => cli.ok(['console', name, '--silence', '3'], words)))
    const facts = said.map((text) => text.match(/^[0-9a-f:-]{17,36}\r?$/gm) ?? [])
    assert.deepEqual(
      facts.map((found) => found.length),
      [3, 3],
      said.join('\n'),
    )
    assert.equal(new Set(facts.flat()).size, 6)
    assert.equal(new Set(taken.flatMap(({ uuid, address }) => [uuid, address])).size, 4)
    for (const [index, name] of names.entries()) {
      assert.match(said[index] ?? '', new RegExp(`^${name}\\r?$`, 'm'))
      assert.match(said[index] ?? '', new RegExp(`^${new Date().getUTCFullYear()}\\r?$`, 'm'))
      assert.match(await cli.ok(['ip', name, '--one']), new RegExp(`^${String(taken[index]?.['address'])}$`, 'm'))
    }
    const known = (await cli.ok(['ps', '--names'])).split('\n')
    assert.ok(names.every((name) => known.includes(name)) && !known.some((name) => name.startsWith('pool-')))
    assert.match((await cli.run(['clone', 'app-console', '--name', 'one'])).stderr, /DOMAIN_EXISTS/)
    await cli.ok(['stop', ...names])
    // The supervisor makes new ones; one that belongs to a window goes when that was killed.
    assert.equal(await ready(), 0)
    await cli.ok(['supervise', '--once', '--interval', '2s'])
    assert.equal(await ready(), 2)
    const window = cli.start(['run', 'app-console', '--name', 'windowed'])
    await window.said(/^windowed$/m)
    assert.equal(await ready(), 1)
    window.kill('SIGKILL')
    await window.done
    for (let tries = 0; /windowed/.test(await cli.ok(['ps', '--names'])); tries++) {
      assert.ok(tries < 40, 'it outlives its window')
      await wait(250)
    }
    await cli.ok(['pool', 'drop', 'app-console'])
    assert.doesNotMatch(virsh('list', '--all', '--name'), /pool-/)
  })

  test('panic cuts the client off, and the router attests before it is let back', async () => {
    // To its end: what is typed meanwhile would wait.
    const fetchPage = async (): Promise<string> => {
      const asking = cli.start(['console', 'client', '--silence', '60'], `fetch http://${SERVER}:8080/\n`)
      await asking.said(/you came from|fetch: /)
      asking.kill('SIGTERM')
      return (await asking.done).stdout
    }
    await cli.ok(['router', 'panic'])
    assert.match(await fetchPage(), /fetch: cannot connect/)
    assert.equal((await cli.run(['start', 'router-uni'])).status, 100)
    await cli.ok(['router', 'panic', '--lift'])
    assert.match(await fetchPage(), /you came from/)
  })

  test('virsh on the same daemon sees both with titles and our metadata', async () => {
    const status = await cli.json(['status'])
    const virsh = (args: readonly string[]): string => run('virsh', ['-c', String(status['connection']), ...args])
    assert.match(virsh(['list', '--all', '--title']), /router-uni .*running .*vmpkg router-uni/)
    assert.match(virsh(['dumpxml', 'client']), /urn:vmpkg:domain:1/)
  })

  test('a VPN client reaches the machine that was chosen for it, and nothing else, until it is removed', async () => {
    await cli.ok(['clone', 'app-console', '--name', 'other', '--ephemeral', '--wait'])
    const { machines } = (await cli.json(['ps'])) as { machines: Record<string, unknown>[] }
    assert.ok(machines.some(({ name }) => name === 'other'))
    const [router] = (JSON.parse(await cli.ok(['status', 'router-uni', '--json'])) as StatusResult).machines
    const outer = String(router?.['wanAddress'])
    await cli.ok(['vpn-server', 'init', '--endpoint', outer])
    const file = at('anna.conf')
    const { client } = (await cli.json(['vpn-server', 'add-client', 'anna', '--to', 'client', '--out', file])) as {
      client: { machines: { address: string }[] }
    }
    const chosen = client.machines[0]?.address ?? ''
    const others = (
      (await cli.json(['vpn-server', 'add-client', 'bert', '--to', 'other', '--dry-run'])) as {
        client: { machines: { address: string }[] }
      }
    ).client
    const other = others.machines[0]?.address ?? ''
    const visit = (): Promise<string> =>
      onUplink(outer, 'sh', join(SUPPORT, 'road-warrior.sh'), file, chosen, other, '10.1.1.1', '10.8.0.1')
    assert.equal(await visit(), `${chosen} reached\n${other} silent\n10.1.1.1 silent\n10.8.0.1 silent\nhandshake\n`)
    await cli.ok(['vpn-server', 'remove-client', 'anna'])
    assert.match(await visit(), new RegExp(`^${chosen} silent\n[^]*\nno handshake\n$`))
    // The same by OpenVPN over TCP, beside WireGuard.
    await cli.ok(['vpn-server', 'init', '--protocol', 'openvpn', '--endpoint', outer])
    const profile = at('anna.ovpn')
    const invite = ['vpn-server', 'add-client', 'anna', '--protocol', 'openvpn', '--to', 'client', '--out', profile]
    await cli.ok(invite)
    const drive = (): Promise<string> =>
      onUplink(outer, 'sh', join(SUPPORT, 'road-warrior-openvpn.sh'), profile, chosen, other, '10.1.1.1', '10.8.1.1')
    assert.equal(
      await drive(),
      `route ${chosen}\n${chosen} reached\n${other} silent\n10.1.1.1 silent\n10.8.1.1 silent\n`,
    )
    const { machines: told } = JSON.parse(await cli.ok(['status', 'router-uni', '--json'])) as StatusResult
    assert.deepEqual(told[0]?.['openvpn'], { state: 'up' })
    await cli.ok(['vpn-server', 'remove-client', 'anna'])
    assert.equal(await drive(), 'not let in\n')
    await cli.ok(['vpn-server', 'remove'])
    assert.deepEqual((await cli.json(['vpn-server', 'list']))['servers'], [])
    await cli.ok(['stop', 'other'])
  })

  test('run gives a console on a machine that is gone with it, killed or not', async () => {
    const said = await cli.ok(['run', 'app-console', '--name', 'brief'], `fetch http://${SERVER}:8080/\n`)
    assert.match(said, /^brief\n[^]*you came from/)
    const running = cli.start(['run', 'app-console', '--name', 'killed'])
    await running.said(/^killed$/m)
    assert.match(await cli.ok(['ps', '--names']), /killed/)
    running.kill('SIGKILL')
    await running.done
    for (let tries = 0; /killed/.test(await cli.ok(['ps', '--all', '--names'])); tries++) {
      assert.ok(tries < 20, 'it outlives who started it')
      await wait(250)
    }
    await cli.ok(['gc'])
    assert.doesNotMatch(await cli.ok(['ps', '--all', '--names']), /brief|killed/)
    assert.deepEqual((await cli.json(['gc', '--dry-run']))['removed'], [])
    const { name, display } = await cli.json(['run', 'app-console', '--name', 'told'])
    assert.deepEqual([name, display], ['told', null])
    const { status, stderr } = await cli.run(['screenshot', 'told', at('told.png')])
    assert.equal(status, 100)
    assert.match(stderr, /told has no screen 0/)
    await cli.ok(['stop', 'told'])
    const unknown = await cli.run(['run', 'app-console', '--viewer', 'xterm'])
    assert.match(unknown.stderr, /No such viewer/)
  })

  test('stopping the clone removes it with everything it had', async () => {
    await cli.ok(['stop', 'client'])
    assert.doesNotMatch(await cli.ok(['ps', '--all', '--names']), /client/)
    assert.deepEqual((await cli.json(['port-forward', 'list']))['forwards'], [])
    assert.doesNotMatch(await cli.ok(['render', 'router-uni', '--guest']), /dnat ip/)
    await cli.ok(['gc']) // mediums that the router had before its rules changed
    const { removed } = await cli.json(['gc', '--dry-run'])
    assert.deepEqual(removed, [])
  })

  test('verify finds installed files as they were signed', async () => {
    assert.match(await cli.ok(['verify', '--full']), /as it was signed/)
  })

  test('a running router that does not attest what was rendered for it loses its LAN, and gets it back when it does', async () => {
    const { connection } = (await cli.json(['status'])) as { connection: string }
    const metadata = ['-c', connection, 'metadata', 'router-uni', 'urn:vmpkg:domain:1', '--live']
    const own = run('virsh', metadata).trim()
    const [, rules = ''] = / rules="([0-9a-f]{64})"/.exec(own) ?? []
    const say = (text: string): void => void run('virsh', [...metadata, '--key', 'vmpkg', '--set', text])
    const lanLink = async (): Promise<unknown> => {
      const { machines } = JSON.parse((await cli.run(['status', 'router-uni', '--json'])).stdout) as StatusResult
      return [machines[0]?.['rules'], machines[0]?.['lanLink']]
    }
    say(own.replace(rules, 'f'.repeat(64)))
    const { status, stderr } = await cli.run(['start', 'router-uni'])
    assert.equal(status, 100)
    assert.match(stderr, /ATTESTATION_FAILED/)
    assert.deepEqual(await lanLink(), ['mismatch', 'down'])
    say(own)
    await cli.ok(['start', 'router-uni'])
    assert.deepEqual(await lanLink(), ['attested', 'up'])
    assert.match(await cli.ok(['start', 'router-uni']), /running already/)
  })

  test('the supervisor closes what does not attest and opens what does, whoever started it, and is safe to kill', async () => {
    const { connection } = (await cli.json(['status'])) as { connection: string }
    const virsh = (...words: readonly string[]): string => run('virsh', ['-q', '-c', connection, ...words])
    const metadata = ['metadata', 'router-uni', 'urn:vmpkg:domain:1', '--live'] as const
    const own = virsh(...metadata).trim()
    const mac = / lanMac="([^"]+)"/.exec(own)?.[1] ?? ''
    const say = (text: string): void => void virsh(...metadata, '--key', 'vmpkg', '--set', text)
    const lanLink = (): string => (virsh('domif-getlink', 'router-uni', mac).includes('up') ? 'up' : 'down')
    const supervise = (): ReturnType<Cli['start']> => cli.start(['supervise', '--interval', '2s'], '')
    const untilLink = async (link: string, seconds: number): Promise<void> => {
      for (let tries = 0; lanLink() !== link; tries++) {
        if (tries >= seconds * 5) assert.fail(`the LAN was never ${link}: ${(await cli.run(['status'])).stdout}`)
        await wait(200)
      }
    }
    const first = supervise()
    say(own.replace(/ rules="[0-9a-f]{64}"/, ` rules="${'f'.repeat(64)}"`))
    await untilLink('down', 30)
    first.kill('SIGKILL')
    await first.done
    say(own)
    const closed = (await cli.json(['status', 'router-uni'])) as unknown as StatusResult
    assert.partialDeepStrictEqual(closed.machines[0], { rules: 'attested', lanLink: 'down' })
    assert.match(String(closed.machines[0]?.['closed']), /it loaded other rules than the ones rendered for it/)
    // As by virt-manager; one supervisor after the other is killed while it boots.
    virsh('destroy', 'router-uni')
    virsh('start', 'router-uni')
    assert.equal(lanLink(), 'down')
    for (let round = 0; round < 3; round++) {
      const running = supervise()
      await wait(500 + 1500 * Math.random())
      running.kill('SIGKILL')
      await running.done
      if (lanLink() === 'down') continue
      const { machines } = (await cli.json(['status', 'router-uni'])) as unknown as StatusResult
      assert.equal(machines[0]?.['rules'], 'attested')
    }
    const last = supervise()
    await untilLink('up', 120)
    const { machines } = (await cli.json(['status', 'router-uni'])) as unknown as StatusResult
    assert.partialDeepStrictEqual(machines[0], { rules: 'attested', lanLink: 'up' })
    last.kill('SIGTERM')
    assert.equal((await last.done).status, 0)
  })

  test('the system’s libvirt, whose QEMU runs as another user, runs the same and gives signed files back', {
    skip: process.getuid?.() !== 0 && 'needs root, to be the system',
  }, async () => {
    for (const folder of ['lib', 'cache', 'log']) await mkdir(`/var/${folder}/libvirt`, { recursive: true })
    await chmod(cli.folder, 0o711) // QEMU's user has to pass through
    const root = at('system')
    const node = `'${process.execPath}' '${join(TOP, 'src', 'bin.ts')}'`
    const script = [
      `vmpkg() { ${node} "$@" --connect qemu:///system; }`,
      `vmpkg source add example '${at('registry')}' --root-file '${at('registry', 'root', '1.json')}'`,
      'vmpkg update',
      'vmpkg install -y --grant network router-uni app-console',
      'vmpkg clone app-console --name client --wait',
      'vmpkg status --json',
      'vmpkg stop client router-uni',
      'vmpkg start router-uni client',
      'vmpkg stop --force client router-uni',
      `find '${root}/var/lib/vmpkg/images' -maxdepth 1 -type f -printf 'image %U %m\\n'`,
      'vmpkg verify --full',
      'vmpkg rm -y client',
      'vmpkg remove -y router-uni app-console',
      'virsh -c qemu:///system list --all --name; virsh -c qemu:///system net-list --all --name',
      'echo the end',
    ]
    const host = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'tini', '--', 'sh']
    const inside = [...host, join(TOP, 'test', 'support', 'system-host.sh'), 'sh', '-ec', script.join('\n')]
    const env = { ...cli.env, VMPKG_ROOT: root, VMPKG_CONNECT: '' }
    const said = execFileSync('unshare', inside, { encoding: 'utf8', env, timeout: 240_000 })
    assert.match(said, /"rules":"attested"/)
    assert.match(said, /"lanAddress":"10\.1\.1\.\d+"/)
    const owners = [...said.matchAll(/^image (\d+) (\d+)$/gm)].map(([, uid, mode]) => [uid, mode])
    assert.equal(owners.length, 5)
    assert.ok(
      owners.every(([uid, mode]) => uid === '0' && mode === '444'),
      said,
    )
    assert.match(said, /Removed router-uni\s+the end\n$/)
  })

  test('removing the packages leaves no machine, network, image or file of theirs', async () => {
    await cli.ok(['remove', '-y', 'app-console', 'router-uni'])
    await cli.ok(['clean', '-y']) // until then they can be had back by history undo
    const { connection } = (await cli.json(['status', '--connect', 'private:e2e'])) as { connection: string }
    assert.doesNotMatch(run('virsh', ['-c', connection, 'list', '--all', '--name']), /\S/)
    assert.doesNotMatch(run('virsh', ['-c', connection, 'net-list', '--all', '--name']), /\S/)
    const state = at('root', 'var', 'lib', 'vmpkg')
    assert.deepEqual(
      (await readdir(join(state, 'images'))).filter((name) => /^[0-9a-f]{64}$/.test(name)),
      [],
    )
    assert.deepEqual(await readdir(join(state, 'packages')), [])
  })
})

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, [...args], { encoding: 'utf8' })
}
