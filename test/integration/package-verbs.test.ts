/**
 * The package verbs on a private host with tiny packages, told by virsh, SQLite and the file system: upgrade with the user's
 * edits merged, marks and holds, removal with what depends, values that are kept, and the history back and forth.
 */
import assert from 'node:assert/strict'
import { chmod, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before as beforeAll, describe, test } from 'node:test'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { runChild } from '../support/child.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { type TestPackage, testImage } from '../support/registry-builder.ts'
import { makeSite, NOTHING, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const GRANT = ['-y', '--grant', 'network']

/** A later version with another image, another device, and what else is given. */
function router(version: string, more: Parameters<typeof tinyRouter>[1] = {}): TestPackage {
  return { ...tinyRouter('router-tiny', { image: testImage(`router ${version}`), ...more }), version }
}

function app(version: string): TestPackage {
  return {
    ...tinyApp('app-tiny', { manifest: 'depends: [router-tiny]', image: testImage(`app ${version}`) }),
    version,
  }
}

interface Plan {
  readonly packages: readonly { name: string; action: string; from?: string; to?: string }[]
  readonly definitions: readonly { kind: string; name: string; diff: string; edited: boolean; conflicts: string[] }[]
  readonly restarts: readonly string[]
  readonly notes: readonly string[]
  readonly missingGrants: readonly { package: string; capability: string }[]
}

describe('package verbs', { timeout: 600_000, skip: await privateHostMissing() }, () => {
  let site: Site

  beforeAll(async () => {
    site = await makeSite('verbs', [router('1.0-1'), app('1.0-1')])
  })

  after(() => site.close())

  const publish = async (...packages: readonly TestPackage[]): Promise<void> => {
    await site.registry.add(...packages)
    await site.cli.ok(['update'])
  }
  const plan = async (...args: readonly string[]): Promise<Plan> =>
    (await site.cli.json([...args, '--dry-run'])) as unknown as Plan
  const refused = async (args: readonly string[], code: string): Promise<string> => {
    const before = await site.observe()
    const { status, stderr } = await site.cli.run(args)
    assert.match(stderr, new RegExp(`\\[${code}\\]`), stderr)
    assert.equal(status, code === 'USAGE' ? 2 : 100)
    assert.deepEqual(await site.observe(), before)
    return stderr
  }
  const lastEntry = async (): Promise<number> => {
    const { entries } = (await site.cli.json(['history'])) as { entries: { id: number }[] }
    return entries[0]?.id ?? 0
  }
  const xmlOf = async (name: string): Promise<string> => site.virsh('dumpxml', '--inactive', name)
  const edit = async (name: string, change: (xml: string) => string): Promise<void> => {
    const file = join(site.cli.folder, 'edit.xml')
    const before = await xmlOf(name)
    const changed = change(before)
    assert.notEqual(changed, before)
    await writeFile(file, changed)
    await site.virsh('define', file)
  }
  const identity = (xml: string): readonly string[] => [
    ...(xml.match(/<uuid>.*?<\/uuid>/g) ?? []),
    ...(xml.match(/<mac address='.*?'\/>/g) ?? []),
    ...(xml.match(/<source network='.*?'/g) ?? []),
  ]
  const versionIn = (xml: string): string | undefined => /<vmpkg:domain[^>]* version=['"]([^'"]+)/.exec(xml)?.[1]

  test('an upgrade keeps UUID, MACs and networks and merges what the user changed with virsh', async () => {
    await site.cli.ok(['install', ...GRANT, '--no-start', '--set', 'memory=48MiB', 'app-tiny'])
    const first = await xmlOf('router-tiny')
    const net = await site.virsh('net-dumpxml', '--inactive', 'uni0')
    await edit('router-tiny', (xml) => xml.replace("<vcpu placement='static'>1<", "<vcpu placement='static'>2<"))
    await publish(router('1.1-1', { devices: "<input type='tablet' bus='virtio'/>" }))
    const planned = await plan('upgrade')
    assert.deepEqual(planned.packages, [{ name: 'router-tiny', action: 'upgrade', from: '1.0-1', to: '1.1-1' }])
    const domain = planned.definitions.find(({ kind }) => kind === 'domain')
    assert.match(domain?.diff ?? '', /^\+ +<input type='tablet' bus='virtio'\/>$/m)
    assert.equal(domain?.edited, true)
    assert.deepEqual(domain.conflicts, [])
    await site.cli.ok(['upgrade', '-y'])
    const second = await xmlOf('router-tiny')
    assert.deepEqual(identity(second), identity(first))
    assert.equal(versionIn(second), '1.1-1')
    assert.match(second, /<input type='tablet' bus='virtio'/)
    assert.match(second, /<vcpu placement='static'>2</)
    assert.match(await site.virsh('net-dumpxml', '--inactive', 'uni0'), /version=['"]1\.1-1/)
    assert.deepEqual(identity(await site.virsh('net-dumpxml', '--inactive', 'uni0')), identity(net))
    const { installed, parameters, pending, damaged } = await site.observe()
    assert.deepEqual(
      installed.map((row) => row.split(' ').slice(0, 2).join(' ')),
      ['app-tiny 1.0-1', 'router-tiny 1.1-1'],
    )
    assert.ok(parameters.includes('router-tiny memory=33554432'), 'a dependency keeps its default')
    assert.deepEqual([pending, damaged], [[], []])
    assert.match(await site.cli.ok(['verify', '--full']), /as it was signed/)
  })

  test('undo and redo go back and forth with the user’s edit, and rollback further back', async () => {
    const upgraded = await lastEntry()
    const second = await xmlOf('router-tiny')
    await site.cli.ok(['history', 'undo', '-y', String(upgraded)])
    const back = await xmlOf('router-tiny')
    assert.equal(versionIn(back), '1.0-1')
    assert.doesNotMatch(back, /<input type='tablet' bus='virtio'/)
    assert.match(back, /<vcpu placement='static'>2</)
    assert.deepEqual(identity(back), identity(second))
    await site.cli.ok(['history', 'redo', '-y', String(upgraded)])
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.1-1')
    const { entries } = (await site.cli.json(['history'])) as { entries: { id: number; operation: string }[] }
    assert.deepEqual(
      entries.map(({ operation }) => operation),
      [`history redo ${upgraded}`, `history undo ${upgraded}`, 'upgrade', 'install'],
    )
    const shown = await site.cli.ok(['history', 'show', String(upgraded)])
    assert.match(shown, /router-tiny: 1\.0-1 → 1\.1-1/)
    assert.match(shown, /^\+.*tablet/m)
    const message = await refused(['history', 'undo', '-y', String(entries[3]?.id)], 'HISTORY_CONFLICT')
    assert.match(message, new RegExp(`entry ${entries[0]?.id}`))
    await site.cli.ok(['history', 'rollback', '-y', String(entries[3]?.id)])
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.0-1')
  })

  test('what both changed is shown, refuses the upgrade, and goes where the user says', async () => {
    await edit('router-tiny', (xml) =>
      xml.replace("<clock offset='utc'", "<clock offset='variable' adjustment='0' basis='utc'"),
    )
    const next = router('1.2-1')
    const text = String(next.files?.['domain.xml.hbs']).replace(
      '{{> lifecycle}}',
      "<clock offset='localtime'/><on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>",
    )
    await publish({ ...next, files: { ...next.files, 'domain.xml.hbs': text } })
    const planned = await plan('upgrade')
    const conflicts = planned.definitions.flatMap((one) => one.conflicts)
    assert.equal(conflicts.length, 1, conflicts.join('\n'))
    assert.match(conflicts[0] ?? '', /clock\/@offset: was utc, the package makes it localtime, you made it variable/)
    await refused(['upgrade', '-y'], 'DEFINITION_CONFLICT')
    await site.cli.ok(['upgrade', '-y', '--conflict', 'keep'])
    assert.match(await xmlOf('router-tiny'), /<clock offset='variable'/)
    await site.cli.ok(['history', 'undo', '-y', '--conflict', 'keep', String(await lastEntry())])
    await site.cli.ok(['upgrade', '-y', '--conflict', 'replace'])
    assert.match(await xmlOf('router-tiny'), /<clock offset='localtime'/)
  })

  test('a downgrade needs its word, and a hold stops what would change the package', async () => {
    const message = await refused(['install', '-y', 'router-tiny=1.1-1'], 'CONFIRMATION_NEEDED')
    assert.match(message, /router-tiny/)
    await site.cli.ok(['install', '-y', '--allow-downgrade', 'router-tiny=1.1-1'])
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.1-1')
    const dry = (await site.cli.json(['hold', 'router-tiny', '--dry-run'])) as { packages: { action: string }[] }
    assert.deepEqual(
      dry.packages.map(({ action }) => action),
      ['mark'],
    )
    assert.equal((await site.cli.run(['hold'])).stdout, '', 'a dry run marked it')
    await site.cli.ok(['hold', 'router-tiny'])
    assert.equal(await site.cli.ok(['hold']), 'router-tiny\n')
    assert.match(await site.cli.ok(['list', '--installed']), /router-tiny\t.*held/)
    const { packages, notes } = await plan('upgrade')
    assert.deepEqual(packages, [])
    assert.match(notes.join('\n'), /Not upgrading: router-tiny \(1\.2-1, held\)/)
    await refused(['install', '-y', 'router-tiny=1.2-1'], 'RELATION_CONFLICT')
    await refused(['remove', '-y', 'router-tiny'], 'RELATION_CONFLICT')
    await site.cli.ok(['unhold', 'router-tiny'])
    await site.cli.ok(['install', '-y', 'router-tiny=1.2-1'])
  })

  test('a wider capability is asked for again, and -y does not grant it', async () => {
    const wide = router('1.3-1')
    await publish({
      ...wide,
      manifest: String(wide.manifest).replace(
        'lan: uni, wan: uplink }]',
        'lan: uni, wan: uplink }, hugepages: optional]',
      ),
    })
    assert.deepEqual((await plan('upgrade')).missingGrants, [])
    const wider = router('1.4-1')
    await publish({
      ...wider,
      manifest: String(wider.manifest).replace(
        'lan: uni, wan: uplink }]',
        'lan: uni, wan: uplink }, hugepages: required]',
      ),
    })
    assert.deepEqual(
      (await plan('upgrade')).missingGrants.map(({ capability }) => capability),
      ['hugepages'],
    )
    await refused(['upgrade', '-y'], 'CAPABILITY_NOT_GRANTED')
    await site.cli.ok(['upgrade', '-y', '--grant', 'hugepages'])
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.4-1')
  })

  test('a withdrawn version that is installed is said to be', async () => {
    const { folder, promoter, timestamping } = site.registry
    await promotePackage({
      folder,
      entry: {
        name: 'app-tiny',
        version: '1.0-1',
        arch: 'amd64',
        channel: 'stable',
        phasedPercent: 100,
        yanked: 'leaks',
      },
      promoters: [promoter],
      timestamping,
    })
    await site.cli.ok(['update'])
    assert.match(await site.cli.ok(['list', '--installed']), /app-tiny\t.*withdrawn: leaks/)
    assert.match((await site.cli.run(['upgrade'])).stdout, /app-tiny 1\.0-1 was withdrawn by its publisher: leaks/)
  })

  test('verify --fix brings back what is missing, with the same identity, and nothing else', async () => {
    const before = await xmlOf('router-tiny')
    await site.virsh('undefine', 'router-tiny')
    await site.virsh('net-destroy', 'uni0')
    await site.virsh('net-undefine', 'uni0')
    const images = join(site.cli.folder, 'root/var/lib/vmpkg/images')
    const [victim = ''] = (await readdir(images)).filter((name) => /^[0-9a-f]{64}$/.test(name))
    const path = join(images, victim)
    await chmod(path, 0o644)
    await writeFile(path, 'x'.repeat(65_536))
    await chmod(path, 0o444)
    const found = await site.cli.run(['verify', '--full'])
    assert.equal(found.status, 1)
    assert.match(found.stdout, /domain router-tiny\tis not defined/)
    assert.match(found.stdout, /network uni0\tis not defined/)
    assert.match(await refused(['install', '-y', 'router-tiny'], 'NETWORK_UNAVAILABLE'), /verify --fix router-tiny/)
    const dry = await site.cli.ok(['verify', '--full', '--fix', '--dry-run'])
    assert.match(dry, /domain router-tiny\twould be defined/)
    assert.match(dry, /network uni0\twould be defined/)
    assert.equal((await site.cli.run(['verify', '--full'])).stdout, found.stdout, 'a dry run repaired something')
    const { repairs } = (await site.cli.json(['verify', '--full', '--fix'])) as { repairs: { outcome: string }[] }
    assert.ok(repairs.length >= 2)
    assert.deepEqual([...new Set(repairs.map(({ outcome }) => outcome))], ['repaired'])
    assert.deepEqual(identity(await xmlOf('router-tiny')), identity(before))
    assert.match(await site.cli.ok(['verify', '--full']), /as it was signed/)
  })

  test('a running machine goes on as it was until it is restarted, and what it runs on stays', async () => {
    await site.virsh('start', 'router-tiny')
    await publish({ ...router('1.5-1') })
    const planned = await plan('upgrade', '--grant', 'hugepages')
    assert.deepEqual(planned.restarts, ['router-tiny'])
    const result = await site.cli.json(['upgrade', '-y'])
    assert.deepEqual(result['needRestart'], ['router-tiny'])
    const running = await site.virsh('dumpxml', 'router-tiny')
    const [image = ''] = /images\/([0-9a-f]{64})/.exec(running)?.slice(1) ?? []
    const [medium = ''] = /[0-9a-f-]{36}[^/]*\.iso/.exec(running) ?? []
    assert.equal(versionIn(running), '1.4-1')
    assert.equal(versionIn(await xmlOf('router-tiny')), '1.5-1')
    await site.cli.ok(['clean'])
    const { machineFiles, imageHolders } = await site.observe()
    assert.ok((await readdir(join(site.cli.folder, 'root/var/lib/vmpkg/images'))).includes(image))
    assert.ok(machineFiles.some((file) => file.endsWith(medium)))
    assert.ok(imageHolders.some((holder) => holder.startsWith('running ')))
    await site.cli.run(['stop', 'router-tiny'])
    await site.cli.ok(['clean'])
    const later = await site.observe()
    assert.ok(!(await readdir(join(site.cli.folder, 'root/var/lib/vmpkg/images'))).includes(image))
    assert.ok(!later.machineFiles.some((file) => file.endsWith(medium)))
    assert.ok(!later.imageHolders.some((holder) => holder.startsWith('running ')))
  })

  test('remove takes dependents along and keeps values, autoremove the rest; undo brings all back as it was', async () => {
    await site.cli.ok(['install', '-y', '--reinstall', '--set', 'memory=64MiB', 'app-tiny'])
    await site.cli.ok(['mark', 'auto', 'router-tiny'])
    const before = await site.observe()
    const xml = await xmlOf('router-tiny')
    const net = await site.virsh('net-dumpxml', '--inactive', 'uni0')
    const { packages } = await plan('remove', 'router-tiny')
    assert.deepEqual(
      packages.map(({ name, action }) => [name, action]),
      [
        ['app-tiny', 'remove'],
        ['router-tiny', 'remove'],
      ],
    )
    await site.cli.ok(['remove', '-y', '--autoremove', 'app-tiny', '--comment', 'no longer needed'])
    assert.deepEqual(await site.observe(), { ...NOTHING, damaged: [] })
    assert.match(await site.cli.ok(['list']), /app-tiny\t.*values kept|router-tiny\t/)
    const removed = await lastEntry()
    assert.match(await site.cli.ok(['history']), /# no longer needed/)
    const aside = join(site.cli.folder, 'aside')
    await rename(site.registry.folder, aside) // what is kept here needs no source
    await site.cli.ok(['history', 'undo', '-y', '--no-start', String(removed)])
    await rename(aside, site.registry.folder)
    const withoutLogs = (files: readonly string[]): readonly string[] => files.filter((file) => !file.endsWith('.log'))
    const now = await site.observe()
    assert.deepEqual(
      { ...now, machineFiles: withoutLogs(now.machineFiles) },
      { ...before, machineFiles: withoutLogs(before.machineFiles) },
    )
    assert.equal(await xmlOf('router-tiny'), xml)
    assert.deepEqual(identity(await site.virsh('net-dumpxml', '--inactive', 'uni0')), identity(net))
    assert.equal(await site.cli.ok(['mark', 'showauto']), 'router-tiny\n')
    await site.cli.ok(['history', 'redo', '-y', String(removed)])
    assert.deepEqual(await site.observe(), NOTHING)
  })

  test('values come back with a later install, but not after purge', async () => {
    await publish(app('1.1-1'))
    await site.cli.ok(['install', ...GRANT, '--no-start', 'app-tiny'])
    assert.ok((await site.observe()).parameters.includes('app-tiny memory=67108864'))
    await site.cli.ok(['purge', '-y', '--autoremove', 'app-tiny'])
    await site.cli.ok(['install', ...GRANT, '--no-start', 'app-tiny'])
    assert.ok((await site.observe()).parameters.includes('app-tiny memory=33554432'))
    await site.cli.ok(['remove', '-y', '--autoremove', 'app-tiny'])
  })

  test('what another command changes while this one waits for the lock refuses the stale plan', async (t) => {
    await site.cli.ok(['install', ...GRANT, '--no-start', 'router-tiny=1.0-1'])
    await site.cli.ok(['install', ...GRANT, '--no-start', 'app-tiny=1.1-1'])
    await publish(app('1.2-1'))
    const state = join(site.cli.folder, 'root/var/lib/vmpkg')
    const holder = runChild(t, 'state/children/hold-lock.ts', [join(state, 'lock'), '60000'])
    assert.equal(await holder.line(), 'holding')
    const before = await site.observe()
    const upgrade = site.cli.start(['upgrade', ...GRANT, '--grant', 'hugepages', '--json'], '')
    const waiting = Promise.withResolvers<string>()
    upgrade.onLine((line) => {
      if (line.includes('Waiting for')) waiting.resolve(line)
    })
    assert.match(await waiting.promise, new RegExp(`process ${holder.process.pid} \\(vmpkg install router-uni\\)`))
    const database = new DatabaseSync(join(state, 'state.db'))
    database.exec("UPDATE installed SET is_held = 1 WHERE name = 'app-tiny'")
    database.close()
    await holder.kill('SIGTERM')
    const { status, stderr } = await upgrade.done
    assert.equal(status, 100, stderr)
    assert.match(stderr, /"code":"STATE_CHANGED"/)
    assert.deepEqual(await site.observe(), before)
    await site.cli.ok(['unhold', 'app-tiny'])
  })
})
