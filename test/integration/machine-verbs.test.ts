/** rename, set memory/vcpus/cpu-limit/disk, and edit on real libvirt; virsh and xorriso say what came of it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

describe('a machine as its user wants it', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const at = (...parts: readonly string[]): string => join(site.cli.folder, ...parts)
  const dump = async (name: string): Promise<string> => site.virsh('dumpxml', name, '--inactive', '--security-info')
  const refused = async (args: readonly string[], way = {}): Promise<string> => {
    const { status, stderr } = await site.cli.run(args, '', way)
    assert.ok(status === 100 || status === 2, `${status} ${stderr}`)
    return stderr
  }
  const hostname = async (name: string): Promise<string> => {
    const [, medium = ''] = /<disk type='file' device='cdrom'>.*?<source file='([^']+)'/s.exec(await dump(name)) ?? []
    const target = at(`medium-${Math.random()}`)
    execFileSync('xorriso', ['-osirrox', 'on', '-indev', medium, '-extract', '/vmpkg.env', target], { stdio: 'ignore' })
    return /^HOSTNAME=(.*)$/m.exec(await readFile(target, 'utf8'))?.[1] ?? ''
  }

  before(async () => {
    const app = tinyApp('app', { manifest: 'guest: { files: guest/ }\n' })
    const env = 'HOSTNAME={{identity.hostname}}\nMACHINE_ID={{identity.machineId}}\n'
    site = await makeSite('verbs', [
      tinyRouter('router-tiny'),
      { ...app, files: { ...app.files, 'guest/vmpkg.env.hbs': env } },
    ])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app'])
    for (const name of ['web', 'other']) await site.cli.ok(['clone', 'app', '--name', name, '--no-start'])
  })
  after(() => site.close())

  test('has another name in libvirt, in its title and for its guest, with the same files', async () => {
    const former = await dump('web')
    await site.cli.ok(['rename', 'web', 'shop'])
    const renamed = await dump('shop')
    assert.equal(renamed, former.replace('<name>web<', '<name>shop<').replace('<title>web ', '<title>shop '))
    assert.equal(await hostname('shop'), 'shop')
    assert.deepEqual((await site.cli.json(['gc', '--dry-run']))['removed'], [])
    assert.match(await refused(['rename', 'web', 'x']), /DOMAIN_UNKNOWN/)
  })

  test('keeps its name where it runs, another has it, or it is a router’s', async () => {
    assert.match(await refused(['rename', 'shop', 'other']), /DOMAIN_EXISTS/)
    assert.match(await refused(['rename', 'router-tiny', 'x']), /USAGE/)
    assert.match(await refused(['rename', 'shop', '../x']), /NAME_INVALID/)
    await site.virsh('net-start', 'uni0').catch(() => '')
    await site.virsh('start', 'other')
    assert.match(await refused(['rename', 'other', 'x']), /DOMAIN_STATE/)
  })

  test('has other memory and processors from its next start on, and both verbs say so', async () => {
    await site.cli.ok(['set', 'memory', 'shop', '96MiB'])
    await site.cli.ok(['set', 'memory', 'shop', '64MiB'])
    await site.cli.ok(['set', 'vcpus', 'shop', '3'])
    await site.cli.ok(['set', 'vcpus', 'shop', '2'])
    const xml = await dump('shop')
    assert.match(xml, /<memory unit='KiB'>65536<\/memory>\s*<currentMemory unit='KiB'>65536</)
    assert.match(xml, /<vcpu placement='static'>2<\/vcpu>/)
    assert.equal(await site.cli.ok(['set', 'memory', 'shop']), '64MiB of memory\n')
    assert.equal(await site.cli.ok(['set', 'vcpus', 'shop']), '2 virtual processors\n')
    const { stdout, stderr } = await site.cli.run(['set', 'memory', 'other', '64MiB'])
    assert.match(stdout, /64MiB of memory/)
    assert.match(stderr, /until its next start/)
    assert.match(await refused(['set', 'memory', 'shop', '64MiB', '--live']), /DOMAIN_STATE/)
  })

  test('has limits of processor time and of its disk, which can be lifted', async () => {
    await site.cli.ok(['set', 'cpu-limit', 'shop', '50%'])
    await site.cli.ok(['set', 'disk', 'shop', '--iops', '500', '--bandwidth', '10MiB'])
    const xml = await dump('shop')
    assert.match(xml, /<global_period>100000<\/global_period>\s*<global_quota>50000<\/global_quota>/)
    assert.match(xml, /<total_bytes_sec>10485760<\/total_bytes_sec>\s*<total_iops_sec>500<\/total_iops_sec>/)
    assert.match(await site.cli.ok(['set', 'disk', 'shop']), /vda 500 operations a second, 10MiB a second/)
    await site.cli.ok(['set', 'cpu-limit', 'shop', 'none'])
    await site.cli.ok(['set', 'disk', 'shop', '--iops', '0', '--bandwidth', '0'])
    assert.doesNotMatch(await dump('shop'), /iotune|<global_quota>[1-9]/)
  })

  test('has its disk limited while it runs', async () => {
    await site.cli.ok(['set', 'disk', 'other', '--iops', '321', '--live'])
    assert.match(await site.virsh('blkdeviotune', 'other', 'vda'), /total_iops_sec\s*: 321/)
    assert.doesNotMatch(await dump('other'), /iotune/)
  })

  test('has a larger disk while it runs, never a smaller one', async () => {
    await site.cli.ok(['set', 'disk', 'other', '--size', '2MiB'])
    assert.match(await site.virsh('domblkinfo', 'other', 'vda'), /Capacity:\s+2097152\n/)
    assert.match(await refused(['set', 'disk', 'other', '--size', '1MiB']), /RESIZE_REFUSED/)
    assert.match(await refused(['set', 'disk', 'shop', '--size', '2MiB']), /DOMAIN_STATE/)
  })

  test('is edited as with virsh: what changes is shown, and what stays out of step is left', async () => {
    const former = await dump('shop')
    await writeFile(at('new.xml'), former.replace('<on_crash>destroy', '<on_crash>restart'))
    const dry = await site.cli.ok(['edit', 'shop', '--from', at('new.xml'), '--dry-run'])
    assert.match(dry, /^-.*on_crash>destroy/m)
    assert.equal(await dump('shop'), former)
    assert.match(await site.cli.ok(['edit', 'shop', '--from', at('new.xml')]), /^\+.*on_crash>restart/m)
    assert.match(await dump('shop'), /<on_crash>restart/)
    assert.match(await site.cli.ok(['edit', 'shop', '--from', at('new.xml')]), /is as it was/)
  })

  for (const [what, from, to, said] of [
    ['is no XML', '</domain>', '', /XML_INVALID/],
    ['libvirt’s schema does not know', '<vcpu', '<vcpux/><vcpu', /SCHEMA_INVALID[^]*line \d+/],
    ['is its UUID', /<uuid>[0-9a-f]{8}/, '<uuid>00000000', /line \d+: domain\/uuid: the UUID stays/],
    ['vmpkg wrote down', ' net="uni0"', ' net="uni9"', /domain\/metadata: what vmpkg wrote/],
    ['is the filter before its port', /<filterref.*?<\/filterref>/s, '', /the filter before its port stays/],
  ] as const) {
    test(`is refused an edit of what ${what}`, async () => {
      const former = await dump('shop')
      await writeFile(at('bad.xml'), former.replace(from, to))
      assert.match(await refused(['edit', 'shop', '--from', at('bad.xml'), '--force']), said)
      assert.equal(await dump('shop'), former)
    })
  }

  test('is given a file of the host by an edit only with force', async () => {
    const former = await dump('shop')
    const disk =
      "<disk type='file' device='cdrom'><source file='/etc/hosts'/><target dev='sdz' bus='sata'/><readonly/></disk>"
    await writeFile(at('more.xml'), former.replace('<controller', `${disk}\n    <controller`))
    assert.match(
      await refused(['edit', 'shop', '--from', at('more.xml')]),
      /POLICY_REFUSED[^]*line \d+: domain\/devices\/disk/,
    )
    await site.cli.ok(['edit', 'shop', '--from', at('more.xml'), '--force'])
    assert.match(await dump('shop'), /\/etc\/hosts/)
  })

  test('keeps the text of a person whose edit cannot stay', async () => {
    await mkdir(at('tmp'))
    const editor = at('editor with space.sh')
    await writeFile(editor, '#!/bin/sh\nsed -i "s/<vcpu/<vcpux/" "$2"\n')
    await chmod(editor, 0o755)
    const env = { EDITOR: `'${editor}' --wait`, TMPDIR: at('tmp') }
    const said = await refused(['edit', 'shop'], { env })
    const [, kept = ''] = /--from (\S+)/.exec(said) ?? []
    assert.match(await readFile(kept, 'utf8'), /<vcpux/)
    await writeFile(editor, '#!/bin/sh\nsed -i "s/<on_crash>restart/<on_crash>destroy/" "$2"\n')
    await site.cli.run(['edit', 'shop'], '', { env })
    assert.match(await dump('shop'), /<on_crash>destroy/)
    assert.deepEqual((await readdir(at('tmp'))).length, 1)
  })
})
