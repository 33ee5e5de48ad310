/**
 * The package verbs when something is in the way: kill -9 at moments that the command itself reports or that a clock
 * chooses, and former versions that are gone. Told by virsh, SQLite and the file system.
 */
import assert from 'node:assert/strict'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before as beforeAll, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { testImage } from '../support/registry-builder.ts'
import { makeSite, NOTHING, type Site } from '../support/site.ts'
import { tinyRouter } from '../support/tiny-packages.ts'

const GRANT = ['-y', '--grant', 'network']

function router(version: string): Parameters<typeof makeSite>[1][number] {
  return { ...tinyRouter('router-tiny', { image: testImage(`router ${version}`) }), version }
}

describe('package verbs in trouble', { timeout: 600_000, skip: await privateHostMissing() }, () => {
  let site: Site

  beforeAll(async () => {
    site = await makeSite('verbs-trouble', [router('1.0-1'), router('1.1-1')])
    await site.cli.ok(['install', ...GRANT, '--no-start', 'router-tiny=1.0-1'])
  })

  after(() => site.close())

  const lastEntry = async (): Promise<number> => {
    const { entries } = (await site.cli.json(['history'])) as { entries: { id: number }[] }
    return entries[0]?.id ?? 0
  }
  const xmlOf = async (name: string): Promise<string> => site.virsh('dumpxml', '--inactive', name)
  const identity = (xml: string): readonly string[] => [
    ...(xml.match(/<uuid>.*?<\/uuid>/g) ?? []),
    ...(xml.match(/<mac address='.*?'\/>/g) ?? []),
    ...(xml.match(/<source network='.*?'/g) ?? []),
  ]
  const versionIn = (xml: string): string | undefined => /<vmpkg:domain[^>]* version=['"]([^'"]+)/.exec(xml)?.[1]

  test('kill -9 at any moment of an upgrade or a removal leaves the old state or the new one', async (t) => {
    const states = new Map<string, string>()
    const observe = async (): Promise<string> => {
      const { installed, domains, networks, pending, damaged } = await site.observe()
      const xml = domains.includes('router-tiny') ? await xmlOf('router-tiny') : ''
      return JSON.stringify({ installed, domains, networks, pending, damaged, xml: [versionIn(xml), ...identity(xml)] })
    }
    const run = async (args: readonly string[], event: RegExp | number): Promise<void> => {
      const old = await observe()
      const running = site.cli.start([...args, '--json'], '')
      let sent = false
      const timer = typeof event === 'number' ? setTimeout(() => running.kill('SIGKILL'), event) : undefined
      running.onLine((line) => {
        if (sent || typeof event === 'number' || !event.test(line)) return
        sent = true
        running.kill('SIGKILL')
      })
      await running.done
      clearTimeout(timer)
      await site.cli.ok(['gc'])
      const now = await observe()
      states.set(`${args[0]} ${String(event)}`, now === old ? 'old' : 'new')
      if (now === old) await site.cli.ok(args)
      const whole = await observe()
      if (now !== old) assert.equal(now, whole)
      await site.cli.ok(['history', 'undo', '-y', '--no-start', String(await lastEntry())])
      assert.equal(await observe(), old, `${args.join(' ')} at ${String(event)}`)
    }
    const upgrade = ['upgrade', '-y']
    for (const event of [/"fetch-started"/, /"stage":"verify"/]) await run(upgrade, event)
    const began = performance.now()
    await site.cli.ok(['remove', '-y', 'router-tiny'])
    const removalMs = performance.now() - began
    await site.cli.ok(['history', 'undo', '-y', '--no-start', String(await lastEntry())])
    for (const part of [0.6, 0.75, 0.85]) await run(['remove', '-y', 'router-tiny'], removalMs * part)
    t.diagnostic(JSON.stringify([...states]))
  })

  test('a version that this host cannot define is refused with the plan, before anything is changed', async () => {
    const next = router('1.0-2')
    const domain = next.files?.['domain.xml.hbs']
    assert.ok(typeof domain === 'string')
    const files = { ...next.files, 'domain.xml.hbs': domain.replace("machine='q35'", "machine='pc-q35-99.0'") }
    await site.registry.add({ ...next, files })
    await site.cli.ok(['update'])
    const before = await site.observe()
    const xml = await xmlOf('router-tiny')
    for (const more of [['--dry-run'], ['-y']]) {
      const { status, stderr } = await site.cli.run(['install', 'router-tiny=1.0-2', ...more])
      assert.equal(status, 100, stderr)
      assert.match(stderr, /router-tiny would not start here: .*pc-q35-99\.0.*\[HOST_UNSUPPORTED\]/)
      assert.deepEqual(await site.observe(), before)
    }
    assert.equal(await xmlOf('router-tiny'), xml)
  })

  test('when the old version is neither kept nor offered, undo refuses before it changes anything', async () => {
    await site.cli.ok(['upgrade', '-y'])
    const upgraded = await lastEntry()
    await site.cli.ok(['clean'])
    const aside = join(site.cli.folder, 'aside')
    await rename(join(site.registry.folder, 'package'), aside)
    await site.cli.ok(['clean', '--all'])
    const before = await site.observe()
    const { status, stderr } = await site.cli.run(['history', 'undo', '-y', String(upgraded)])
    assert.equal(status, 100)
    assert.deepEqual(await site.observe(), before)
    assert.match(stderr, /\[PACKAGE_UNKNOWN\]/)
    assert.match(stderr, /router-tiny 1\.0-1 is neither kept here nor offered/)
    await rename(aside, join(site.registry.folder, 'package'))
    await site.cli.ok(['update'])
    await site.cli.ok(['history', 'undo', '-y', String(upgraded)])
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.0-1')
    await site.cli.ok(['remove', '-y', 'router-tiny'])
    await rm(aside, { recursive: true, force: true })
    assert.deepEqual(await site.observe(), NOTHING)
  })
})
