/**
 * Ctrl-C and kill -9 at many moments of the commands that make things, chosen by a seed that is printed and by the events
 * that the command itself reports. After Ctrl-C nothing is left; after kill -9 the next command leaves nothing. What is
 * there is told by virsh, SQLite and the file system. `VMPKG_SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before as beforeAll, describe, type TestContext, test } from 'node:test'
import type { CliResult } from '../support/cli.ts'
import { noise } from '../support/disk-image.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, NOTHING, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const SEED = Number(process.env['VMPKG_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const INSTALL = ['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-alone', '--json']
const CLONE = ['clone', 'app-alone', '--name', 'one', '--ephemeral', '--json']

type Moment = { readonly afterMs: number } | { readonly event: RegExp }

describe('interruptions', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let installMs = 0
  const random = randomNumbers(SEED)

  beforeAll(async () => {
    const image = noise('interruptions', 2 * 1024 * 1024)
    site = await makeSite('interruptions', [tinyRouter('router-tiny', { image }), tinyApp('app-alone', { image })])
    const began = performance.now()
    await site.cli.ok(INSTALL)
    installMs = performance.now() - began
    await site.cli.ok(['remove', '-y', 'router-tiny', 'app-alone'])
    assert.deepEqual(await site.observe(), NOTHING)
  })

  after(() => site.close())

  /** Starts a command and sends the signal at the moment, or not at all when it is over before. */
  async function interrupt(args: readonly string[], signal: NodeJS.Signals, moment: Moment): Promise<CliResult> {
    const running = site.cli.start(args, '')
    const timer = 'afterMs' in moment ? setTimeout(() => running.kill(signal), moment.afterMs) : undefined
    if ('event' in moment) {
      let sent = false
      running.onLine((line) => {
        if (sent || !moment.event.test(line)) return
        sent = true
        running.kill(signal)
      })
    }
    const result = await running.done
    clearTimeout(timer)
    return result
  }

  /** Moments all over the command, more of them where it does something. */
  function moments(count: number, longestMs: number): Moment[] {
    return Array.from({ length: count }, () => ({ afterMs: 60 + random() * longestMs }))
  }

  const EVENTS: readonly Moment[] = [
    { event: /"fetch-started"/ },
    { event: /"stage":"verify"/ },
    { event: /"stage-started","stage":"define"/ },
    { event: /"stage-finished","stage":"define"/ },
  ]

  function describeMoment(moment: Moment): string {
    return 'afterMs' in moment ? `${Math.round(moment.afterMs)} ms` : String(moment.event)
  }

  async function removeAll(): Promise<void> {
    await site.cli.ok(['remove', '-y', 'router-tiny', 'app-alone'])
  }

  test('Ctrl-C at any moment of install ends with 130 and leaves nothing', async (t: TestContext) => {
    t.diagnostic(`VMPKG_SEED=${SEED}, install takes ${Math.round(installMs)} ms`)
    const statuses: number[] = []
    for (const moment of [...EVENTS, ...moments(6, installMs)]) {
      await site.cli.ok(['clean']) // so that it has to fetch again
      const { status, stderr } = await interrupt(INSTALL, 'SIGINT', moment)
      statuses.push(status)
      const where = `${describeMoment(moment)}, status ${status}\n${stderr}`
      if (status === 0) {
        await removeAll()
        continue
      }
      // 128 is a death before vmpkg heeds signals, or after it has done its work.
      assert.ok(status === 130 || status === 128, where)
      if (status === 130) assert.match(stderr, /"code":"ABORTED"/, where)
      const { damaged: unfinished, ...rest } = await site.observe()
      if (status === 128 && rest.installed.length > 0) {
        await removeAll()
        continue
      }
      assert.deepEqual({ ...rest, damaged: [] }, NOTHING, where)
      assert.ok(
        unfinished.every((file) => /\.partial(?:\.tag|\.frames)?$/.test(file)),
        `${unfinished.join(' ')} ${where}`,
      )
    }
    t.diagnostic(`exit statuses ${statuses.join(' ')}`)
    assert.ok(statuses.filter((status) => status === 130).length >= EVENTS.length)
    await site.cli.ok(['gc'])
    assert.deepEqual(await site.observe(), NOTHING)
  })

  test('kill -9 at any moment of install leaves nothing once another command ran', async (t: TestContext) => {
    const found: string[] = []
    for (const moment of [...EVENTS, ...moments(6, installMs)]) {
      const { status, stderr } = await interrupt(INSTALL, 'SIGKILL', moment)
      const dead = await site.observe()
      found.push(`${dead.domains.length + dead.networks.length + dead.machineFiles.length}`)
      await site.cli.ok(['gc'])
      if ((await site.observe()).installed.length > 0) await removeAll()
      assert.deepEqual(await site.observe(), NOTHING, `${describeMoment(moment)}, status ${status}\n${stderr}`)
    }
    t.diagnostic(`things left behind, before the next command: ${found.join(' ')}`)
    assert.ok(
      found.some((count) => count !== '0'),
      'no kill came while something was half done',
    )
  })

  test('Ctrl-C while a router is waited for undoes the router', async () => {
    const args = ['install', '-y', '--grant', 'network', 'router-tiny', '--json']
    const { status, stderr } = await interrupt(args, 'SIGINT', { event: /"stage":"boot"/ })
    assert.equal(status, 130, stderr)
    await site.cli.ok(['gc'])
    assert.deepEqual(await site.observe(), NOTHING)
  })

  test('after all that a plain install works, and a second one beside it finds it done', async () => {
    const [one, two] = await Promise.all([site.cli.run(INSTALL), site.cli.run(INSTALL)])
    assert.deepEqual([one.status, two.status], [0, 0], one.stderr + two.stderr)
    const changes = [one, two].map(({ stdout }) => (JSON.parse(stdout) as { changed: boolean }).changed)
    assert.equal(changes.filter((changed) => changed).length, 1)
    assert.match(await site.cli.ok(['verify', '--full']), /as it was signed/)
  })

  test('Ctrl-C and kill -9 at any moment of an ephemeral clone leave all of it or nothing', async (t: TestContext) => {
    const before = await site.observe()
    await site.cli.ok(CLONE) // the first one on a host is slower
    await site.cli.ok(['stop', 'one'])
    const began = performance.now()
    await site.cli.ok(CLONE)
    const cloneMs = performance.now() - began
    const whole = await site.observe()
    assert.deepEqual(whole.domains.toSorted(), ['one', 'router-tiny'])
    await site.cli.ok(['stop', 'one'])
    assert.deepEqual(await site.observe(), before)
    const ends: string[] = []
    const early: Moment = { event: /"stage":"define"/ }
    for (const [i, moment] of [early, ...moments(7, cloneMs)].entries()) {
      const signal = i % 2 === 0 ? 'SIGINT' : 'SIGKILL'
      const { status, stderr } = await interrupt(CLONE, signal, moment)
      if (signal === 'SIGKILL') await site.cli.ok(['gc'])
      const now = await site.observe()
      const isThere = now.domains.includes('one')
      ends.push(`${signal}:${status}${isThere ? '+' : ''}`)
      if (isThere) await site.cli.ok(['stop', 'one'])
      assert.ok(!isThere || status !== 130, stderr)
      assert.deepEqual(
        isThere ? await site.observe() : now,
        before,
        `${signal} at ${describeMoment(moment)}\n${stderr}`,
      )
    }
    assert.ok(ends.includes('SIGINT:130'), ends.join(' '))
    t.diagnostic(`a clone takes ${Math.round(cloneMs)} ms; ends: ${ends.join(' ')}`)
  })

  test('Ctrl-C while a clone is waited for removes it', async () => {
    const before = await site.observe()
    const running = site.cli.start([...CLONE, '--wait'], '')
    for (let tries = 0; tries < 100 && !(await site.observe()).domains.includes('one'); tries++) await pause(50)
    assert.ok((await site.observe()).domains.includes('one'))
    running.kill('SIGINT')
    const { status, stderr } = await running.done
    assert.equal(status, 130, stderr)
    assert.deepEqual(await site.observe(), before)
  })

  test('gc leaves the files of a machine whose metadata somebody removed', async () => {
    await site.cli.ok(['clone', 'app-alone', '--name', 'kept', '--no-start'])
    const own = await site.virsh('dumpxml', '--inactive', 'kept')
    const define = async (xml: string): Promise<void> => {
      await writeFile(join(site.cli.folder, 'kept.xml'), xml)
      await site.virsh('define', join(site.cli.folder, 'kept.xml'))
    }
    const whole = await site.observe()
    await define(own.replace(/<metadata>.*<\/metadata>/s, ''))
    await site.cli.ok(['gc'])
    assert.deepEqual(await site.observe(), whole)
    await define(own)
    await site.cli.ok(['rm', '-y', 'kept'])
  })

  test('removing everything leaves nothing', async () => {
    await removeAll()
    assert.deepEqual(await site.observe(), NOTHING)
  })
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Numbers from 0 to 1 that the seed determines (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
