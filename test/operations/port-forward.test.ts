/** Forwarded ports through the command line on a private host: what the client is given, and what its router's rules say. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

describe('forwarded ports', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const rules = async (): Promise<string> => {
    const { documents } = (await site.cli.json(['render', 'router-tiny', '--guest'])) as {
      documents: readonly { name: string; text: string }[]
    }
    return documents.find(({ name }) => name === 'nftables.nft')?.text ?? ''
  }
  const digest = async (name: string): Promise<string> =>
    / rules="([0-9a-f]{64})"/.exec(await site.virsh('dumpxml', name, '--inactive'))?.[1] ?? ''
  /** The last byte of its card's MAC is the last byte of its address. */
  const addressOf = async (name: string): Promise<string> => {
    const [, last = ''] = /<mac address='[^']+:([0-9a-f]{2})'/.exec(await site.virsh('dumpxml', name)) ?? []
    return `10.1.1.${Number.parseInt(last, 16)}`
  }
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { status, stderr } = await site.cli.run(args)
    assert.ok(status === 100 || status === 2, stderr)
    return stderr
  }

  before(async () => {
    site = await makeSite('forwards', [tinyRouter('router-tiny'), tinyApp('app')])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app'])
    for (const name of ['web', 'plain']) await site.cli.ok(['clone', 'app', '--name', name, '--no-start'])
  })
  after(() => site.close())

  test('a dry run says what would be, and changes nothing', async () => {
    const former = await digest('router-tiny')
    const { forwards } = await site.cli.json(['port-forward', 'add', 'web', 'tcp/8443:443', '--dry-run'])
    assert.deepEqual(forwards, [
      {
        router: 'router-tiny',
        machine: 'web',
        address: await addressOf('web'),
        protocol: 'tcp',
        port: 8443,
        target: 443,
      },
    ])
    assert.deepEqual(
      [await digest('router-tiny'), await site.cli.json(['port-forward', 'list'])],
      [former, { schema: 'vmpkg.port-forward-list/1', forwards: [] }],
    )
  })

  test('the client gets an address, the rules its ports, and the router has to attest those', async () => {
    const former = await digest('router-tiny')
    await site.cli.ok(['port-forward', 'add', 'web', 'tcp/8443:443', 'udp/5353'])
    const xml = await site.virsh('dumpxml', 'web')
    const mac = /<mac address='([^']+)'/.exec(xml)?.[1] ?? ''
    const address = await addressOf('web')
    assert.match(
      xml,
      new RegExp(` wanMac="${mac}" wanAddress="${address}".* forwards="tcp:8443:443 udp:5353:5353"`, 's'),
    )
    const text = await rules()
    assert.ok(text.includes(`iifname "wan" fib daddr . iif type local tcp dport 8443 dnat ip to ${address}:443\n`))
    assert.ok(text.includes(`iifname "lan" ether saddr != ${mac} ip saddr ${address} drop\n`))
    assert.notEqual(await digest('router-tiny'), former)
    assert.ok((await site.cli.ok(['net', 'graph'])).includes(`web  shutoff, at ${address}`))
    assert.equal((await site.cli.json(['port-forward', 'add', 'web', 'udp/5353']))['changed'], false)
  })

  test('why-can knows them', async () => {
    const answers = ['world web tcp/8443', 'world web tcp/443', 'plain web tcp/8443'].map(async (words) => {
      const { isReachable } = await site.cli.json(['why-can', ...words.split(' ')])
      return isReachable
    })
    assert.deepEqual(await Promise.all(answers), [true, false, true])
    const { status, stdout } = await site.cli.run(['why-can', 'world', 'plain', 'tcp/8443'])
    assert.equal(status, 1)
    assert.match(stdout, /^No: world does not reach plain by tcp port 8443\n {2}stops at router-tiny: /)
  })

  test('a port is taken once, the router’s own lease is left alone, and what is no client gets none', async () => {
    assert.match(await refused('port-forward', 'add', 'plain', 'tcp/8443'), /leads to web already/)
    assert.match(await refused('port-forward', 'add', 'web', 'tcp/8443:22'), /leads to web already/)
    assert.match(await refused('port-forward', 'add', 'plain', 'tcp/1', 'tcp/1:2'), /leads to another port already/)
    assert.match(await refused('port-forward', 'add', 'plain', 'udp/68'), /for its own lease/)
    assert.match(await refused('port-forward', 'add', 'router-tiny', 'tcp/22'), /it is a router/)
    assert.match(await refused('port-forward', 'add', 'plain', '443'), /Not a port to forward/)
    assert.match(await refused('port-forward', 'remove', 'plain', 'tcp/8443'), /No port tcp 8443 leads to plain/)
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('taking one away leaves the others, taking all away leaves nothing, and the same rules as before', async () => {
    await site.cli.ok(['port-forward', 'remove', 'web', 'tcp/8443'])
    assert.doesNotMatch(await rules(), /8443/)
    assert.match(await rules(), /udp dport 5353 dnat/)
    await site.cli.ok(['port-forward', 'remove', 'web'])
    assert.doesNotMatch(await rules(), /dnat ip/)
    assert.doesNotMatch(await site.virsh('dumpxml', 'web'), /wanAddress|forwards=/)
  })

  test('a client that is removed takes them with it, and the next one has none of them', async () => {
    await site.cli.ok(['port-forward', 'add', 'web', 'tcp/8443:443'])
    await site.cli.ok(['port-forward', 'add', 'plain', 'tcp/22'])
    assert.ok((await rules()).includes(`dnat ip to ${await addressOf('plain')}:22\n`))
    const gone = await addressOf('web')
    const former = await digest('router-tiny')
    await site.cli.ok(['rm', '-y', 'web'])
    assert.notEqual(await digest('router-tiny'), former)
    assert.ok(!(await rules()).includes(`${gone}:`) && !(await rules()).includes('8443'))
    await site.cli.ok(['clone', 'app', '--name', 'next', '--no-start'])
    await site.cli.ok(['port-forward', 'add', 'next', 'tcp/80'])
    assert.ok((await rules()).includes(`tcp dport 80 dnat ip to ${await addressOf('next')}:80\n`))
    assert.doesNotMatch(await rules(), /8443/)
  })

  test('where the router does not take it, nothing is left of it', async () => {
    await site.virsh('start', 'router-tiny')
    const former = [await digest('router-tiny'), await site.virsh('dumpxml', 'plain')]
    await site.virsh('suspend', 'router-tiny')
    assert.match(await refused('port-forward', 'add', 'plain', 'tcp/25'), /is paused/)
    assert.deepEqual([await digest('router-tiny'), await site.virsh('dumpxml', 'plain')], former)
    assert.deepEqual((await site.observe()).pending, [])
  })
})
