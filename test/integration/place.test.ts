/** `pin` and `hugepages` through the command line on a private host: pins that libvirt has, or a refusal that says why. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { REAL_ROOTS } from '../../src/host/kernel-files.ts'
import { readMemoryFacts } from '../../src/host/read-hugepages.ts'
import { readTopology } from '../../src/host/read-topology.ts'
import { formatCpuSet } from '../../src/model/cpu-set.ts'
import type { Placement } from '../../src/model/placement.ts'
import { privateHostMissing } from '../support/private-host.ts'
import type { TestPackage } from '../support/registry-builder.ts'
import { makeSite, NOTHING, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const { cpus } = readTopology(REAL_ROOTS)
const isSingleCore = new Set(cpus.map(({ siblings }) => siblings[0])).size < 2 && 'one core, which is kept for the host'
const { hugepages } = readMemoryFacts(REAL_ROOTS)
const hasFreePages =
  (hugepages.length === 0 || hugepages.some(({ free }) => free !== 0)) && 'pages are free, or this kernel has none'

const PLACING = `
  vcpus: { type: integer, default: 1, minimum: 1, maximum: 1024 }
  pin: { type: boolean, default: false }
  hugepages: { type: boolean, default: false }`
const TUNING = `{{> identity}}
  {{> iothreads count=2}}
  {{#if params.hugepages}}
  {{> memory-backing hugepages=true}}
  {{/if}}
  {{> cputune}}
  {{> numatune}}`

/** The tiny package, with all that a placement says. */
function placed({ manifest = '', files, ...rest }: TestPackage): TestPackage {
  const template = files?.['domain.xml.hbs']?.toString() ?? ''
  return {
    ...rest,
    manifest: manifest
      .replace(/^capabilities: \[(.*)\]$/m, 'capabilities: [$1, cpu-pinning: optional, hugepages: optional]')
      .replace(/^parameters: \{ (.*) \}$/m, 'parameters:\n  $1')
      .replace(/^ {2}memory: .*$/m, `$&${PLACING}`),
    files: {
      ...files,
      'domain.xml.hbs': template.replace('{{> identity}}', TUNING).replace('{{> cpu}}', '{{> cpu-tuned}}'),
    },
  }
}

describe('placing', { timeout: 300_000, skip: (await privateHostMissing()) || isSingleCore }, () => {
  let site: Site
  const clone = (name: string, ...more: string[]) => site.cli.run(['clone', 'app-tiny', '--name', name, ...more])
  const pin = ['--set', 'pin=true']

  before(async () => {
    const app = tinyApp('app-tiny', { manifest: 'depends: [router-tiny]' })
    site = await makeSite('place', [placed(tinyRouter('router-tiny')), placed(app)])
  })
  after(() => site.close())

  test('a router is pinned as its parameter says, once it may be, and stays so in another rendering', async () => {
    const install = [
      'install',
      'router-tiny',
      '-y',
      '--no-start',
      '--set',
      'router-tiny:pin=true',
      '--grant',
      'network',
    ]
    const refused = await site.cli.run(install)
    assert.equal(refused.status, 100)
    assert.match(refused.stderr, /cpu-pinning: choosing which processors[\s\S]*--grant cpu-pinning/)
    assert.match(refused.stderr, /CAPABILITY_NOT_GRANTED/)
    assert.deepEqual((await site.observe()).domains, NOTHING.domains)
    await site.cli.ok([...install, '--grant', 'cpu-pinning'])
    const xml = await site.virsh('dumpxml', 'router-tiny')
    assert.match(xml, /<vcpupin vcpu='0' cpuset='\d+'\/>/)
    assert.equal([...xml.matchAll(/<iothreadpin iothread='[12]' /g)].length, 2)
    const { stdout } = await site.cli.run(['render', 'router-tiny', '--diff'])
    assert.doesNotMatch(stdout, /^[+-] .*(?:pin|memnode)/m)
    const explained = await site.cli.run(['render', 'router-tiny', '--explain'])
    assert.match(explained.stdout, /^placement\.reasons\[0\]\tEach vCPU has a core to itself.*\thost$/m)
  })

  test('an app’s pins need its grant; a dry run tells the reasons and defines nothing', async () => {
    const grants = ['--grant', 'network', '--grant', 'hugepages']
    await site.cli.ok(['install', 'app-tiny', '-y', '--no-start', ...grants])
    const refused = await clone('one', ...pin, '--no-start')
    assert.equal(refused.status, 100)
    assert.match(refused.stderr, /Not granted: cpu-pinning .*CAPABILITY_NOT_GRANTED[\s\S]*--grant cpu-pinning/)
    await site.cli.ok(['install', '--reinstall', 'app-tiny', '-y', ...grants, '--grant', 'cpu-pinning'])
    const dry = await clone('one', ...pin, '--dry-run')
    assert.match(dry.stderr, /Each vCPU has a core to itself/)
    assert.match(dry.stdout, /<vcpupin vcpu='0' cpuset='\d+'\/>/)
    assert.ok(!(await site.observe()).domains.includes('one'))
  })

  test('libvirt has the planned pins, and QEMU keeps to them', async () => {
    const { placement } = (await site.cli.json([
      'clone',
      'app-tiny',
      '--name',
      'one',
      ...pin,
      '--no-start',
    ])) as unknown as { placement: Placement }
    const [own] = placement.vcpuPins
    assert.ok(own !== undefined)
    const xml = await site.virsh('dumpxml', 'one')
    assert.match(xml, new RegExp(`<vcpupin vcpu='0' cpuset='${formatCpuSet(own.cpus)}'/>`))
    assert.match(xml, new RegExp(`<emulatorpin cpuset='${formatCpuSet(placement.emulatorCpus)}'/>`))
    await site.cli.ok(['start', 'one'])
    assert.match(await site.virsh('vcpupin', 'one', '0', '--live'), new RegExp(` 0 +${formatCpuSet(own.cpus)}\n`))
    // The next one keeps off, or is told who is there.
    const second = await clone('two', ...pin, '--dry-run')
    if (second.status === 0)
      assert.doesNotMatch(second.stdout, new RegExp(`<vcpupin vcpu='0' cpuset='${own.cpus[0]}'/>`))
    else assert.match(second.stderr, /one has \d+ \[PLACEMENT_IMPOSSIBLE\]/)
    // Its own pins do not stand in its way.
    const { stdout } = await site.cli.run(['render', 'app-tiny', '--name', 'one', '--diff'])
    assert.doesNotMatch(stdout, /^[+-] .*vcpupin/m)
  })

  test('more than the host has room for is refused, and nothing is defined', async () => {
    const { status, stderr } = await clone('big', ...pin, '--set', `vcpus=${cpus.length}`, '--no-start')
    assert.equal(status, 100)
    assert.match(stderr, /No room to pin \d+ vCPUs?: .*\[PLACEMENT_IMPOSSIBLE\]\n.*unpinned/)
    assert.ok(!(await site.observe()).domains.includes('big'))
  })

  test('too few hugepages: defined, but not started; the fix runs as it is printed', {
    skip: hasFreePages,
  }, async () => {
    await site.cli.ok(['clone', 'app-tiny', '--name', 'paged', '--set', 'hugepages=true', '--no-start'])
    assert.match(await site.virsh('dumpxml', 'paged'), /<page size='\d+' unit='KiB' nodeset='0'\/>/)
    const { status, stderr } = await site.cli.run(['start', 'paged'])
    assert.equal(status, 100)
    const [, command = ''] = /Reserve them as root: vmpkg (host hugepages reserve .* --for paged)$/m.exec(stderr) ?? []
    const reserve = await site.cli.run([...command.split(' '), '--dry-run'])
    assert.equal(reserve.status, 0, `${command}: ${reserve.stderr}`)
    assert.match(reserve.stdout, /16/)
  })
})
