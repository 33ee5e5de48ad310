/** Optional capabilities on a private host: asked for where what the user chose needs them, and remembered. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before as beforeAll, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { readRegistry } from '../support/download-site.ts'
import { startFileServer } from '../support/file-server.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { runOnTerminal } from '../support/pty.ts'
import type { TestPackage } from '../support/registry-builder.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const execute = promisify(execFile)

function app(name: string): TestPackage {
  const devices = '{{> disks parameter="disk" bus="virtio"}}{{#if params.socket}}{{> vsock}}{{/if}}'
  const plain = tinyApp(name, { manifest: 'depends: [router-tiny]', devices })
  const manifest = (plain.manifest ?? '')
    .replace(
      /^capabilities:.*$/m,
      'capabilities: [network: { wan: uni }, host-file: { access: write, optional: true }, vsock: optional]',
    )
    .replace(
      /^parameters: \{(.*)\}$/m,
      'parameters: {$1, disk: { type: disk, format: qcow2, optional: true }, socket: { type: boolean, default: false } }',
    )
  return { ...plain, manifest }
}

function router(version: string, socket: boolean): TestPackage {
  const plain = tinyRouter('router-tiny', { devices: '{{#if params.socket}}{{> vsock}}{{/if}}' })
  const manifest = (plain.manifest ?? '')
    .replace(/^capabilities:.*$/m, 'capabilities: [network: { lan: uni, wan: uplink }, vsock: optional]')
    .replace(/^parameters:$/m, `parameters:\n  socket: { type: boolean, default: ${socket} }`)
  return { ...plain, manifest, version }
}

function controller(name: string): TestPackage {
  const plain = app(name)
  return { ...plain, manifest: (plain.manifest ?? '').replace(/^kind: app$/m, 'kind: controller') }
}

interface Missing {
  readonly missingGrants: readonly { readonly package: string; readonly capability: string; readonly reason: string }[]
}

describe('optional capabilities', { timeout: 600_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let disk: string
  const grantsOf = async (name: string): Promise<string> =>
    (await site.observe()).installed.find((row) => row.startsWith(`${name} `)) ?? ''
  const refused = async (args: readonly string[], code: string): Promise<string> => {
    const before = await site.observe()
    const { status, stderr } = await site.cli.run(args)
    assert.match(stderr, new RegExp(`\\[${code}\\]`), stderr)
    assert.equal(status, 100)
    assert.deepEqual(await site.observe(), before)
    return stderr
  }

  beforeAll(async () => {
    site = await makeSite('grants', [
      router('1.0-1', false),
      app('app-tiny'),
      app('app-other'),
      controller('controller-tiny'),
    ])
    disk = join(site.cli.folder, 'my disk.qcow2')
    await execute('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '1M'])
  })
  after(() => site.close())

  test('a router is asked for what its values need before anything is defined', async () => {
    const plan = (await site.cli.json([
      'install',
      '--dry-run',
      '--set',
      'socket=true',
      'router-tiny',
    ])) as unknown as Missing
    assert.deepEqual(
      plan.missingGrants.map(({ capability }) => capability),
      ['network', 'vsock'],
    )
    const install = ['install', '-y', '--no-start', '--set', 'socket=true', 'router-tiny', '--grant', 'network']
    assert.match(
      await refused(install, 'CAPABILITY_NOT_GRANTED'),
      /Not granted: vsock to router-tiny.*\n.*--grant vsock/,
    )
    const none = (await site.cli.json([
      'install',
      '--dry-run',
      'router-tiny',
      '--grant',
      'network',
    ])) as unknown as Missing
    assert.deepEqual(none.missingGrants, [])
    await site.cli.ok(['install', '-y', '--no-start', 'router-tiny', '--grant', 'network'])
    assert.doesNotMatch(await grantsOf('router-tiny'), /vsock/)
  })

  test('an upgrade whose rendering begins to need one asks for it', async () => {
    await site.registry.add(router('1.1-1', true))
    await site.cli.ok(['update'])
    assert.match(await refused(['upgrade', '-y'], 'CAPABILITY_NOT_GRANTED'), /--grant vsock/)
    const { status, stdout } = await runOnTerminal(
      site.cli,
      ['upgrade'],
      [
        ['Grant vsock to router-tiny (a socket between the guest', 'y'],
        ['Continue?', 'y'],
      ],
    )
    assert.equal(status, 0, stdout)
    assert.match(await grantsOf('router-tiny'), /vsock/)
    assert.match(await site.virsh('dumpxml', 'router-tiny'), /<vsock /)
  })

  test('a clone that needs one is refused without a terminal, with the command that grants it', async () => {
    await site.cli.ok(['install', '-y', '--grant', 'network', 'app-tiny', 'app-other'])
    const clone = ['clone', 'app-tiny', '--name', 'one', '--no-start', '--set', `disk=${disk}`]
    const stderr = await refused(clone, 'CAPABILITY_NOT_GRANTED')
    assert.match(stderr, /Not granted: host-file:write to app-tiny/)
    const command = `vmpkg clone app-tiny --no-start --name one --set 'disk=${disk}' --grant host-file:write`
    assert.ok(stderr.replaceAll(/\s+/g, ' ').includes(command), stderr)
    await refused([...clone, '-y'], 'CAPABILITY_NOT_GRANTED')
    assert.match(await refused([...clone, '--grant', 'vsock'], 'CAPABILITY_NOT_GRANTED'), /host-file:write/)
  })

  test('a dry run and render say what would be asked, and neither fails nor remembers', async () => {
    const before = await site.observe()
    const words = ['app-tiny', '--set', `disk=${disk}`]
    const wanted = [
      {
        package: 'app-tiny',
        capability: 'host-file:write',
        reason: 'reading and writing a file of this host that you choose',
      },
    ]
    for (const args of [
      ['clone', ...words, '--dry-run'],
      ['render', ...words],
    ]) {
      assert.deepEqual(((await site.cli.json(args)) as unknown as Missing).missingGrants, wanted)
      const { stdout, stderr } = await site.cli.run(args)
      assert.match(stderr, /app-tiny is not granted host-file:write yet .*: --grant host-file:write/)
      assert.match(stdout, /<source file=.*my disk\.qcow2/)
    }
    assert.deepEqual(((await site.cli.json(['render', 'app-tiny'])) as unknown as Missing).missingGrants, [])
    assert.deepEqual(await site.observe(), before)
  })

  test('--grant gives it to the package, later clones have it, and the history takes it back', async () => {
    const clone = (name: string): string[] => [
      'clone',
      'app-tiny',
      '--name',
      name,
      '--no-start',
      '--set',
      `disk=${disk}`,
    ]
    await site.cli.ok([...clone('one'), '--grant', 'host-file'])
    assert.match(await site.virsh('dumpxml', 'one'), /my disk\.qcow2/)
    assert.match(await grantsOf('app-tiny'), /host-file/)
    assert.doesNotMatch(await grantsOf('app-tiny'), /vsock/)
    assert.doesNotMatch(await grantsOf('app-other'), /host-file/)
    await site.cli.ok(clone('two'))
    // What was granted is that capability only.
    await refused([...clone('three'), '--set', 'socket=true'], 'CAPABILITY_NOT_GRANTED')
    const { entries } = (await site.cli.json(['history'])) as { entries: { id: number; operation: string }[] }
    const first = entries.filter(({ operation }) => operation === 'clone').at(-1)
    await site.cli.ok(['history', 'undo', '-y', String(first?.id)])
    assert.doesNotMatch(await grantsOf('app-tiny'), /host-file/)
    await refused(clone('three'), 'CAPABILITY_NOT_GRANTED')
  })

  test('on a terminal each is asked for with what it means; no makes nothing', async () => {
    const args = ['clone', 'app-other', '--name', 'four', '--no-start', '--set', `disk=${disk}`, '--set', 'socket=true']
    const question = 'Grant host-file:write to app-other (reading and writing a file of this host that you choose)?'
    const before = await site.observe()
    const no = await runOnTerminal(site.cli, args, [
      [question, 'y'],
      ['Grant vsock to app-other', 'n'],
    ])
    assert.equal(no.status, 100, no.stdout)
    assert.deepEqual(await site.observe(), before)
    const yes = await runOnTerminal(site.cli, args, [
      [question, 'y'],
      ['Grant vsock to app-other', 'y'],
    ])
    assert.equal(yes.status, 0, yes.stdout)
    assert.match(await grantsOf('app-other'), /host-file.*vsock/)
    assert.match(await site.virsh('dumpxml', 'four'), /<vsock /)
  })

  test('a controller’s machine is made as an app’s is; a router is no template', async () => {
    await site.cli.ok(['install', '-y', '--no-start', 'controller-tiny', '--grant', 'network'])
    const args = ['--no-start', '--set', `disk=${disk}`, '--grant', 'host-file']
    await site.cli.ok(['clone', 'controller-tiny', '--name', 'keeper', ...args])
    assert.match(await site.virsh('dumpxml', 'keeper'), /my disk\.qcow2/)
    await site.cli.ok(['rm', '-y', 'keeper'])
    const { status, stderr } = await site.cli.run(['clone', 'router-tiny'])
    assert.equal(status, 2)
    assert.match(stderr, /is a router: it is one machine/)
  })

  test('offline, what is not here is refused before anything is asked for', async (t) => {
    const far = app('app-far')
    await site.registry.add({ ...far, manifest: (far.manifest ?? '').replace('vsock: optional', 'vsock: required') })
    const server = await startFileServer(t, readRegistry(site.registry))
    await site.cli.ok(['source', 'remove', '-y', 'test'])
    const root = join(site.registry.folder, 'root', '1.json')
    await site.cli.ok(['source', 'add', 'test', server.base.href, '--root-file', root])
    await site.cli.ok(['update'])
    const before = await site.observe()
    const { status, stderr } = await site.cli.run(['install', '-y', '--offline', 'app-far'])
    assert.equal(status, 100)
    assert.match(stderr, /^E: Not on this host: app-far 1\.0-1 \[OFFLINE\]$/m)
    assert.doesNotMatch(stderr, /CAPABILITY_NOT_GRANTED/)
    assert.match((await site.cli.run(['install', '-y', 'app-far'])).stderr, /CAPABILITY_NOT_GRANTED/)
    assert.deepEqual(await site.observe(), before)
    await site.cli.ok(['download', 'app-far'])
    assert.match((await site.cli.run(['install', '-y', '--offline', 'app-far'])).stderr, /CAPABILITY_NOT_GRANTED/)
  })
})
