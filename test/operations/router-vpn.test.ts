/** VPN profiles of a router and the switch between them, on real libvirt; what a guest would answer is a socket's. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type FakeAgent, fakeAgent, type Question } from '../support/fake-agent.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyLower, tinyRouter } from '../support/tiny-packages.ts'
import { vpnKeys } from '../support/vpn-profiles.ts'

const { ca, cert, key } = vpnKeys()
const SECRET = key.split('\n')[1] ?? ''
const ADDRESSES = { home: '203.0.113.7', oslo: '203.0.113.8', bergen: '203.0.113.9' } as const
const profile = (address: string): string =>
  `client\nremote ${address} 1194 udp\n<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>\n`

interface Row {
  readonly name: string
  readonly isUsed: boolean
}

describe('VPN profiles of a router', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const agents: FakeAgent[] = []
  const asked: string[] = []
  /** What a router says to a question, where it is not a plain yes. */
  let hear: (question: Question) => Promise<string | undefined> = async () => undefined
  const file = (name: string): string => join(site.cli.folder, `${name}.ovpn`)
  const listed = async (): Promise<readonly string[]> => {
    const { routers } = (await site.cli.json(['router', 'vpn', 'list'])) as unknown as {
      routers: readonly { router: string; profiles: readonly Row[] }[]
    }
    return routers.flatMap(({ profiles }) => profiles.map(({ name, isUsed }) => (isUsed ? `${name}*` : name)))
  }
  /** Endpoints in a rule file. */
  const endpointsIn = (rules: string): readonly string[] =>
    Object.values(ADDRESSES).filter((address) => rules.includes(`ip daddr ${address} udp dport 1194 accept`))
  const storedAbove = async (): Promise<readonly string[]> => {
    const { documents } = (await site.cli.json(['render', 'router-tiny', '--guest'])) as unknown as {
      documents: readonly { name: string; text: string }[]
    }
    return endpointsIn(documents.find(({ name }) => name === 'nftables.nft')?.text ?? '')
  }
  /** On the medium that the router above has in its drive. */
  const loadedAbove = async (): Promise<readonly string[]> => endpointsIn((await agents[0]?.read('nftables.nft')) ?? '')
  const liveEndpoints = async (): Promise<string | undefined> =>
    / endpoints="([^"]*)"/.exec(await site.virsh('dumpxml', 'router-low'))?.[1]
  const usedBelow = async (): Promise<string | undefined> =>
    /remote (\S+)/.exec((await agents[1]?.read('vpn.conf')) ?? '')?.[1]
  const refused = async (status: number, ...args: readonly string[]): Promise<string> => {
    const result = await site.cli.run(args)
    assert.equal(result.status, status, result.stderr)
    return result.stderr
  }

  before(async () => {
    site = await makeSite('profiles', [tinyRouter('router-tiny'), tinyLower('router-low')])
    for (const [name, address] of Object.entries(ADDRESSES)) await writeFile(file(name), profile(address))
    const set = ['--set', `vpn=${file('home')}`]
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-low', ...set])
  })
  after(async () => {
    for (const agent of agents) await agent.close()
    await site.close()
  })

  test('profiles are kept under their files’ names, each name once', async () => {
    assert.deepEqual(await listed(), ['home*'])
    await site.cli.ok(['router', 'vpn', 'add', file('oslo'), file('bergen')])
    assert.deepEqual(await listed(), ['home*', 'bergen', 'oslo'])
    assert.match(await refused(2, 'router', 'vpn', 'add', file('oslo')), /profile oslo already/)
  })

  test('what no router takes is refused, and keeps no other out', async () => {
    const folder = await site.cli.run(['router', 'vpn', 'list', 'router-tiny'])
    assert.match(folder.stderr, /takes no profile/)
    await writeFile(file('evil'), 'remote 203.0.113.7\nup /bin/sh\n')
    await writeFile(file('apart'), profile('203.0.113.10').replace(/<key>[^]*<\/key>/, 'key client.key'))
    await writeFile(join(site.cli.folder, 'client.key'), key)
    await writeFile(file('fine'), profile('203.0.113.11'))
    const stderr = await refused(1, 'router', 'vpn', 'add', file('evil'), file('apart'), file('fine'))
    assert.match(stderr, /Refused .*evil\.ovpn: .*line 2.*\bup\b/)
    assert.match(stderr, /Refused .*apart\.ovpn: .*key/)
    assert.deepEqual(await listed(), ['home*', 'bergen', 'fine', 'oslo'])
    await site.cli.ok(['router', 'vpn', 'remove', 'fine'])
    assert.match(await refused(2, 'router', 'vpn', 'use', 'fine'), /no VPN profile "fine"/)
  })

  test('a router that does not run has the chosen one from then on, and the router above lets only that through', async () => {
    await site.cli.ok(['router', 'vpn', 'use', 'oslo', '--dry-run'])
    assert.deepEqual(await storedAbove(), [ADDRESSES.home])
    const { action, previous } = await site.cli.json(['router', 'vpn', 'use', 'oslo'])
    assert.deepEqual([action, previous], ['chosen', 'home'])
    assert.deepEqual([await storedAbove(), await liveEndpoints()], [[ADDRESSES.oslo], 'udp:203.0.113.8:1194'])
    assert.deepEqual(await listed(), ['oslo*', 'bergen', 'home'])
  })

  test('an upgrade keeps them, and no key is in what others read', async () => {
    await site.cli.ok(['install', '-y', '--reinstall', '--no-start', 'router-low'])
    assert.deepEqual(await listed(), ['oslo*', 'bergen', 'home'])
    const seen = [
      await site.virsh('dumpxml', 'router-low', '--inactive'),
      await site.cli.ok(['history', '--json']),
      await site.cli.ok(['show', 'router-low', '--json']),
      await site.cli.ok(['router', 'vpn', 'list', '--json']),
    ].join('\n')
    const encoded = Buffer.from(profile(ADDRESSES.home)).toString('base64').slice(200, 260)
    assert.ok(SECRET.length > 40 && !seen.includes(SECRET) && !seen.includes(encoded))
  })

  test('one that runs switches between two settings of the router above: with both, then with the new one alone', async () => {
    await site.virsh('net-start', 'gal0').catch(() => '')
    for (const name of ['router-tiny', 'router-low']) {
      agents.push(await fakeAgent(site, name, async (question) => hear(question)))
      await site.virsh('start', name)
    }
    hear = async ({ router, verb }) => {
      asked.push(`${router} ${verb}: above ${(await loadedAbove()).join()}, below ${await usedBelow()}`)
      return undefined
    }
    const { action } = await site.cli.json(['router', 'vpn', 'use', 'bergen'])
    assert.equal(action, 'switched')
    const [{ oslo, bergen }, both] = [ADDRESSES, `${ADDRESSES.oslo},${ADDRESSES.bergen}`]
    assert.deepEqual(asked, [
      `router-tiny reset: above ${both}, below ${oslo}`,
      `router-low reset: above ${both}, below ${bergen}`,
      `router-tiny reset: above ${bergen}, below ${bergen}`,
    ])
    assert.deepEqual([await liveEndpoints(), await storedAbove()], ['udp:203.0.113.9:1194', [bergen]])
    assert.deepEqual(await listed(), ['bergen*', 'home', 'oslo'])
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('the one in use starts its tunnel anew, and nothing else changes', async () => {
    const questions: Question[] = []
    hear = async (question) => void questions.push(question)
    assert.equal((await site.cli.json(['router', 'vpn', 'use', 'bergen']))['action'], 'restarted')
    assert.deepEqual(questions, [{ router: 'router-low', verb: 'vpn.use', argument: 'bergen' }])
    hear = async () => 'no such profile'
    assert.match(await refused(100, 'router', 'vpn', 'use', 'bergen'), /no such profile.*\[GUEST_NOT_READY\]/)
  })

  const assertOld = async (): Promise<void> => {
    const { bergen } = ADDRESSES
    assert.deepEqual([await loadedAbove(), await usedBelow()], [[bergen], bergen])
    const rules = createHash('sha256')
      .update((await agents[0]?.read('nftables.nft')) ?? '')
      .digest('hex')
    for (const flags of [[], ['--inactive']]) {
      assert.ok((await site.virsh('dumpxml', 'router-tiny', ...flags)).includes(` rules="${rules}"`))
    }
    assert.equal(await liveEndpoints(), 'udp:203.0.113.9:1194')
    assert.match(await site.virsh('dumpxml', 'router-low', '--inactive'), / endpoints="udp:203\.0\.113\.9:1194"/)
    const { parameters, pending } = await site.observe()
    assert.ok(parameters.some((one) => one.startsWith('router-low vpn="data:bergen;')))
    assert.deepEqual(pending, [])
  }

  test('what the router refuses leaves both routers as they were', async () => {
    hear = async ({ router }) =>
      router === 'router-low' && (await usedBelow()) === ADDRESSES.oslo ? 'vpn.conf is odd' : undefined
    assert.match(await refused(100, 'router', 'vpn', 'use', 'oslo'), /vpn\.conf is odd/)
    await assertOld()
  })

  test('what the router above refuses is not begun below', async () => {
    const below: string[] = []
    hear = async ({ router, verb }) => {
      if (router === 'router-low') below.push(`${verb} ${await usedBelow()}`)
      return router === 'router-tiny' && (await loadedAbove()).length > 1 ? 'no room' : undefined
    }
    assert.match(await refused(100, 'router', 'vpn', 'use', 'oslo'), /no room/)
    assert.deepEqual(below, [])
    await assertOld()
  })

  for (const [step, router, count] of [
    ['switches', 'router-low', 1],
    ['narrows above', 'router-tiny', 2],
  ] as const) {
    test(`killed while it ${step}, the next command brings the old profile back`, async () => {
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
      let seen = 0
      hear = async (question) => {
        if (question.router !== router || ++seen !== count) return undefined
        reach()
        return 'silent'
      }
      const switching = site.cli.start(['router', 'vpn', 'use', 'oslo'], '')
      await Promise.race([reached, switching.done])
      switching.kill('SIGKILL')
      await switching.done
      assert.deepEqual((await site.observe()).pending, ['vpn-use router-low'])
      hear = async () => undefined
      await site.cli.ok(['gc'])
      await assertOld()
    })
  }
})
