/**
 * Pools on a private host whose guests start as far as the firmware: what waits is told so by hand. What is dropped and why,
 * what a killed command leaves, who sees members. With guests that take an identity: test/e2e/chain.test.ts.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Emit } from '../../src/events.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { preparePools, setPool } from '../../src/operations/pool.ts'
import { recordFacts } from '../../src/operations/pool-member.ts'
import { listOwnMembers, makeRoom } from '../../src/operations/pool-relief.ts'
import { endApp, startApp } from '../../src/operations/run.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { readDomainFacts } from '../../src/render/facts-xml.ts'
import { AGENT_VARIABLE, startGuestAgent, TOLD_GUEST } from '../support/guest-agent-process.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Observation, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const GIB = 1024 ** 3
const APP = 'app-tiny'

interface PoolRow {
  readonly package: string
  readonly size: number
  readonly ready: number
  readonly members: readonly Record<string, unknown>[]
}

describe('pools', { timeout: 240_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let bare: Observation

  before(async () => {
    const env = 'HOSTNAME={{identity.hostname}}\nMACHINE_ID={{identity.machineId}}\nSEED={{identity.seed}}\n'
    const app = tinyApp(APP, { manifest: 'guest: { files: guest/ }' })
    site = await makeSite('eph-pools', [
      tinyRouter('router-tiny'),
      tinyRouter('router-other'),
      { ...app, files: { ...app.files, 'guest/vmpkg.env.hbs': env } },
    ])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', APP])
    bare = await site.observe()
  })
  after(() => site?.close())

  const memory = (): string => join(site.cli.folder, 'root', 'run', 'vmpkg', 'private', 'eph-pools', 'machines')
  const open = (notes: string[]): Promise<Workspace> => {
    const { cli } = site
    const emit: Emit = (event) => void (event.type === 'noted' && notes.push(event.message))
    return openWorkspace({
      outside: systemOutside({ emit, signal: new AbortController().signal, env: cli.env, offline: true }),
      root: cli.env['VMPKG_ROOT'],
      connect: cli.env['VMPKG_CONNECT'],
      env: cli.env,
      uid: process.getuid?.() ?? 0,
      home: cli.folder,
      folder: cli.folder,
      command: ['test'],
      write: true,
    })
  }
  const inside = async <T>(use: (workspace: Workspace) => Promise<T>, notes: string[] = []): Promise<T> => {
    const workspace = await open(notes)
    try {
      return await use(workspace)
    } finally {
      await workspace.close()
    }
  }

  /** So many members, paused and marked as if their guests had said that they wait. */
  const fill = (size: number, net?: string): Promise<readonly string[]> =>
    inside(async (workspace) => {
      workspace.pools.put({ package: APP, size, mode: undefined, net })
      const readMemory = async () => ({ totalBytes: 64 * GIB, availableBytes: 32 * GIB, stalledPercent: 0 })
      const { made } = await preparePools(workspace, await workspace.connect(), { readMemory })
      for (const { domain } of made) {
        await domain.suspend()
        const { attendant, ...facts } = readDomainFacts(await domain.getXMLDesc()) ?? assert.fail('not ours')
        assert.match(attendant ?? '', new RegExp(`^${process.pid} `))
        await recordFacts(domain, { ...facts, pool: 'ready' })
      }
      return made.map(({ name }) => name)
    })
  const empty = async (): Promise<void> => {
    await site.cli.ok(['pool', 'drop', APP])
    assert.deepEqual(await site.observe(), bare)
  }
  const row = async (): Promise<PoolRow | undefined> =>
    ((await site.cli.json(['pool', 'list']))['pools'] as readonly PoolRow[])[0]
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { status, stderr } = await site.cli.run(words)
    assert.notEqual(status, 0, words.join(' '))
    return /\[([A-Z_]+)\]/.exec(stderr)?.[1] ?? stderr
  }

  test('members wait without a link, under names of no meaning, and are nobody’s machines', async () => {
    const names = await fill(2)
    assert.equal(names.length, 2)
    for (const name of names) {
      const xml = await site.virsh('dumpxml', name)
      assert.match(name, /^pool-[0-9a-f]{12}$/)
      assert.match(xml, /<link state='down'\/>/)
      assert.match(await site.virsh('domstate', name), /paused/)
    }
    assert.partialDeepStrictEqual(await row(), { package: APP, size: 2, ready: 2, filling: 0 })
    assert.equal((await site.cli.ok(['ps', '--all', '--names'])).trim(), 'router-tiny')
    assert.equal(await refused('stop', names[0] ?? ''), 'DOMAIN_UNKNOWN')
    assert.equal(await refused('rm', '-y', '--force', 'pool-*'), 'DOMAIN_UNKNOWN')
    assert.doesNotMatch(await site.cli.ok(['net', 'graph']), /pool-/)
    assert.deepEqual((await site.cli.json(['gc', '--dry-run']))['removed'], [])
  })

  test('what differs in more than what the guest reads is made from scratch, and the members stay', async () => {
    for (const words of [
      ['--no-pool'],
      ['--mode', 'transient'],
      ['--set', 'memory=48MiB'],
      ['--autodestroy', '--dry-run'],
    ]) {
      const made = await site.cli.json(['clone', APP, '--name', 'other', '--ephemeral', ...words])
      assert.equal(made['pooled'], undefined, words.join(' '))
      if (!words.includes('--dry-run')) await site.cli.ok(['stop', 'other'])
    }
    const { stderr } = await site.cli.run(['clone', APP, '--ephemeral', '--dry-run'])
    assert.match(stderr, /of the pool would be taken/)
    assert.equal((await row())?.ready, 2)
  })

  test('one that does not take its identity goes, and the machine is made from scratch', async () => {
    const { members } = (await row()) ?? assert.fail()
    await site.virsh('change-media', String(members[0]?.['uuid']), 'sda', '--eject', '--force', '--live')
    const { stdout, stderr } = await site.cli.run(['clone', APP, '--name', 'instead', '--ephemeral', '--json'])
    assert.match(stderr, /instead is made from scratch/)
    const made = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual([made['name'], made['pooled']], ['instead', undefined])
    assert.notEqual(made['uuid'], members[0]?.['uuid'])
    await site.cli.ok(['stop', 'instead'])
    assert.equal((await row())?.ready, 1)
    await empty()
  })

  test('they go when what they were made of changes: a value, or the package', async () => {
    await fill(1)
    await site.cli.ok(['install', '-y', '--reinstall', '--set', 'memory=40MiB', APP])
    assert.partialDeepStrictEqual(await row(), { size: 1, ready: 0, members: [] })
    const [name = ''] = await fill(1)
    assert.match(await site.virsh('dumpxml', name), /<memory [^>]*unit='KiB'>40960</)
    await site.cli.ok(['remove', '-y', APP])
    assert.doesNotMatch(await site.virsh('list', '--all', '--name'), /pool-/)
    await site.cli.ok(['install', '-y', '--grant', 'network', '--set', 'memory=32MiB', APP])
    assert.equal((await row())?.size, 1)
    await site.cli.ok(['purge', '-y', APP])
    assert.equal(await row(), undefined)
    await site.cli.ok(['install', '-y', '--grant', 'network', APP])
    bare = await site.observe()
  })

  test('the oldest go when memory gets short, before anybody fails for it, and no new ones are made meanwhile', async () => {
    const [first, second, third] = await fill(3)
    const there = (): Promise<readonly string[]> =>
      inside(async (workspace) => (await listOwnMembers(workspace, await workspace.connect())).map(({ name }) => name))
    await inside(async (workspace) => {
      const connect = await workspace.connect()
      const tight = { totalBytes: 8 * GIB, availableBytes: 1, stalledPercent: 0 }
      assert.equal(await makeRoom(workspace, connect, 2, async () => ({ ...tight, availableBytes: 2 })), 0)
      assert.equal(await makeRoom(workspace, connect, 2, async () => tight), 1)
    })
    assert.deepEqual(await there(), [second, third])
    assert.notEqual(first, undefined)
    await inside(async (workspace) => {
      const stalled = async () => ({ totalBytes: 8 * GIB, availableBytes: 7 * GIB, stalledPercent: 50 })
      const { made, short } = await preparePools(workspace, await workspace.connect(), { readMemory: stalled })
      assert.deepEqual([made, short], [[], 2])
    })
    assert.deepEqual(await there(), [third])
    await empty()
  })

  // H6 of docs/leaks.md.
  test('none is given out for another upstream than the one that it waits on, and it goes when its pool gets another', async () => {
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-other'])
    const lans = (await site.virsh('net-list', '--all', '--name')).split('\n').filter((name) => name.startsWith('uni'))
    assert.deepEqual(lans, ['uni0', 'uni1'])
    const stand = async (): Promise<string> => {
      const [name = ''] = await fill(1, 'uni0')
      assert.match(await site.virsh('dumpxml', name), /<source network='uni0' /)
      return name
    }
    const isTakenFor = async (net: string): Promise<boolean> => {
      const { status, stderr } = await site.cli.run(['clone', APP, '--ephemeral', '--net', net, '--dry-run'])
      assert.equal(status, 0, stderr)
      return stderr.includes('of the pool would be taken')
    }
    const isThere = async (name: string): Promise<boolean> => (await site.virsh('list', '--name')).includes(name)
    const kept = await stand()
    assert.equal(await isTakenFor('uni0'), true)
    assert.equal(await isTakenFor('uni1'), false)
    assert.equal(await refused('net', 'move', kept, 'router-other'), 'DOMAIN_UNKNOWN')
    // The control: one that is kept, and passes for one of the new upstream.
    const recordNet = (net: string): Promise<void> =>
      inside(async (workspace) => {
        const [member] = await listOwnMembers(workspace, await workspace.connect())
        if (member !== undefined) await recordFacts(member.domain, { ...member.facts, net })
      })
    await recordNet('uni1')
    assert.equal(await isTakenFor('uni1'), true)
    await recordNet('uni0')
    await inside(async (workspace) => workspace.pools.put({ package: APP, size: 1, mode: undefined, net: 'uni1' }))
    assert.partialDeepStrictEqual(await row(), { ready: 0, members: [{ state: 'stale', net: 'uni0' }] })
    await site.cli.ok(['gc'])
    assert.equal(await isThere(kept), false)
    // And the upstream itself goes.
    const orphan = await stand()
    await site.cli.ok(['purge', '-y', 'router-tiny'])
    assert.equal(await isThere(orphan), false)
    await site.cli.ok(['purge', '-y', 'router-other'])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny'])
    await site.cli.ok(['pool', 'drop', APP])
    bare = await site.observe()
  })

  test('a fill that is interrupted leaves the pool as it was, and one that is killed what gc removes', async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const running = site.cli.start(['pool', 'set', APP, '2'], '')
      await until(async () => (await site.virsh('list', '--name')).match(/pool-/g)?.length === 2)
      await until(async () => (await site.observe()).pending.length === 0) // both are made, and boot
      running.kill(signal)
      await running.done
      if (signal === 'SIGKILL') {
        assert.partialDeepStrictEqual(await row(), { size: 2, ready: 0, filling: 0 })
        await site.cli.ok(['gc'])
      } else assert.equal(await row(), undefined)
      await site.cli.ok(['gc'])
      assert.deepEqual(await site.observe(), bare, signal)
    }
    await empty()
  })

  test('run takes none where nobody could end it with the command, and says so', async () => {
    await fill(1)
    const notes: string[] = []
    await inside(async (workspace) => {
      const request = { package: APP, name: 'scratched', net: undefined, pool: true, set: [], profiles: [], grants: [] }
      const face = { kind: 'console' as const }
      const app = await startApp(workspace, { ...request, wait: false, timeoutSeconds: undefined, face, keep: false })
      assert.deepEqual([app.pooled, app.guard], [undefined, undefined])
      await endApp(workspace, app)
    }, notes)
    assert.match(notes.join('\n'), /could outlive this command here, so one is made from scratch/)
    assert.equal((await row())?.ready, 1)
    await empty()
  })

  test('what run took out of a pool ends with it, killed or not, with no other command', async () => {
    await using agent = await startGuestAgent(join(site.cli.folder, 'agent'))
    const env = { ...TOLD_GUEST, [AGENT_VARIABLE]: agent.socket }
    const filled = await site.cli.run(['pool', 'set', APP, '2'], '', { env })
    assert.equal(filled.status, 0, filled.stderr)
    const members = async (): Promise<number> =>
      (await site.virsh('list', '--all', '--name')).match(/pool-/g)?.length ?? 0
    for (const [signal, ready] of [
      ['SIGKILL', 1],
      ['SIGHUP', 0],
    ] as const) {
      const running = site.cli.start(['run', APP, '--name', 'windowed', '--viewer', 'console'], undefined, { env })
      await running.said(/^windowed$/m)
      assert.deepEqual([(await row())?.ready, await members()], [ready, ready + 1])
      running.kill(signal)
      await running.done
      await until(async () => (await members()) === ready)
    }
    await until(async () => (await readdir(memory())).length === 0)
    await empty()
  })

  test('a member whose QEMU was killed is gone with all that it had', async () => {
    const [name = ''] = await fill(1)
    process.kill(await qemuOf(name), 'SIGKILL')
    await until(async () => !(await site.virsh('list', '--all', '--name')).includes(name))
    assert.equal((await row())?.ready, 0)
    await site.cli.ok(['gc'])
    await empty()
    assert.deepEqual(await readdir(memory()), [])
  })

  test('a pool that this host cannot have is refused', async () => {
    await inside(async (workspace) => {
      const request = { package: APP, size: 3, mode: undefined, net: undefined, dryRun: false }
      const readMemory = async () => ({ totalBytes: GIB / 2, availableBytes: GIB / 2, stalledPercent: 0 })
      await assert.rejects(setPool(workspace, request, { readMemory }), { code: 'NO_SPACE' })
    })
    assert.equal(await refused('pool', 'set', APP, 'many'), 'USAGE')
    assert.equal(await refused('pool', 'set', APP, '1', '--mode', 'disk'), 'USAGE')
    assert.equal(await refused('pool', 'set', 'router-tiny', '1'), 'USAGE')
    assert.equal(await refused('pool', 'set', 'app-none', '1'), 'PACKAGE_NOT_INSTALLED')
    assert.equal(await refused('pool', 'set', APP, '1', '--net', 'uni7'), 'NETWORK_UNAVAILABLE')
    assert.equal(await row(), undefined)
    assert.deepEqual(await site.observe(), bare)
  })

  /** Its QEMU, as the machine outside numbers it. */
  async function qemuOf(name: string): Promise<number> {
    for (const entry of await readdir('/proc')) {
      const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')
      if (line.includes(`guest=${name},`) && line.includes('qemu-system')) return Number(entry)
    }
    throw new Error(`no QEMU runs ${name}`)
  }

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (await isSo()) return
      await wait(50)
    }
    throw new Error('it did not come to that')
  }
})
