/** Packages whose parameters ask for pins and huge pages, placed on captured hosts. */
import assert from 'node:assert/strict'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { HostRoots } from '../../src/host/kernel-files.ts'
import type { ParameterValues } from '../../src/model/manifest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import { placeInput } from '../../src/operations/place-input.ts'
import { draftMachine, type MachineInput } from '../../src/operations/render-machine.ts'
import { mergeParameters } from '../../src/render/parameters.ts'
import { unpackHwlocTrees } from '../support/host-trees.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { packageLine } from '../support/package-line.ts'
import { osContext, readTemplate } from '../support/render-contexts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** Ten cores on each of four nodes; 0000:43:00.0 is on node 2. */
const HOST = '40intel64-2g2n4c+pci'

async function hwlocRoots(name: string): Promise<HostRoots> {
  const tree = (await unpackHwlocTrees()).find((candidate) => candidate.name === `hwloc/${name}`)
  assert.ok(tree)
  return { sysfs: tree.sysfs, procfs: tree.procfs }
}

/** A copy of that host with free pages of 2 MiB on its nodes. */
async function withPages(t: TestContext, pages: Readonly<Record<number, number>>): Promise<HostRoots> {
  const { sysfs, procfs } = await hwlocRoots(HOST)
  const copy = { sysfs: join(await makeTempFolder(t), 'sys'), procfs }
  await cp(join(sysfs, 'devices/system'), join(copy.sysfs, 'devices/system'), { recursive: true })
  await mkdir(join(copy.sysfs, 'kernel/mm'), { recursive: true })
  await cp(join(sysfs, 'kernel/mm/hugepages'), join(copy.sysfs, 'kernel/mm/hugepages'), { recursive: true })
  const set = async (folder: string, count: number): Promise<void> => {
    assert.ok((await readdir(folder)).includes('free_hugepages'))
    for (const file of ['nr_hugepages', 'free_hugepages']) await writeFile(join(folder, file), `${count}\n`)
  }
  for (const [node, count] of Object.entries(pages)) {
    await set(join(copy.sysfs, `devices/system/node/node${node}/hugepages/hugepages-2048kB`), count)
  }
  const total = Object.values(pages).reduce((sum, count) => sum + count, 0)
  await set(join(copy.sysfs, 'kernel/mm/hugepages/hugepages-2048kB'), total)
  return copy
}

function inputOf(template: string, set: Readonly<Record<string, unknown>>, more: Partial<MachineInput> = {}) {
  const manifest = parseManifest(readTemplate(`${template}/vmpkg.yaml`))
  const parameters: ParameterValues = mergeParameters(manifest.parameters, [{ origin: 'command line', values: set }])
  const domain = readTemplate(`${template}/domain.xml.hbs`)
  const input: MachineInput = {
    pkg: {
      line: packageLine(manifest.name, '1.0-1'),
      manifest,
      templates: new Map([['domain.xml.hbs', domain]]),
      guestFiles: new Map(),
    },
    parameters,
    grants: [],
    name: 'one',
    lans: [],
    identity: { uuid: osContext.domain.uuid, hostname: 'one', machineId: '0'.repeat(32), seed: '0'.repeat(64) },
    nics: osContext.nics,
    host: osContext.host,
    images: {},
    nvram: '/n',
    medium: '/m',
    ...more,
  }
  return input
}

const disk = { disk: '/srv/one.qcow2' }
const gpu = { gpu: '0000:43:00.0', ...disk, vcpus: 4, memory: '4GiB', hugepages: false }
const chosen = { pci: { gpu: [{ domain: '0000', bus: '43', slot: '00', function: '0' }] } }

async function render(input: MachineInput): Promise<string> {
  return (await draftMachine(input)).rendered
}

describe('placeInput', () => {
  test('leaves alone what asks for neither', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const input = inputOf('server-plain', disk)
    assert.equal(await placeInput(workspace, input, await hwlocRoots(HOST)), input)
  })

  test('pins beside the chosen devices: processors, emulator, the template’s I/O threads and memory', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const roots = await hwlocRoots(HOST)
    const input = await placeInput(workspace, inputOf('desktop-gaming', gpu, chosen), roots)
    // CPUs 2, 6, 10 … are those of node 2; the emulator has a core of the same node, and none of the guest's.
    const cpus = input.placement?.vcpuPins.flatMap((pin) => pin.cpus) ?? []
    assert.equal(new Set(cpus).size, 4)
    assert.ok([...cpus, ...(input.placement?.emulatorCpus ?? [])].every((cpu) => cpu % 4 === 2))
    assert.ok(!cpus.some((cpu) => input.placement?.emulatorCpus.includes(cpu)))
    assert.match(input.placement?.reasons.join(' ') ?? '', /Node 2 is that of its devices/)
    const xml = await render(input)
    assert.equal([...xml.matchAll(/<vcpupin vcpu='\d' cpuset='\d+'\/>/g)].length, 4)
    assert.equal([...xml.matchAll(/<iothreadpin iothread='1' /g)].length, 1)
    assert.match(xml, /<emulatorpin /)
    assert.match(xml, /<memory mode='strict' nodeset='2'\/>/)
    assert.match(xml, /<topology sockets='1' /)
    // Once more it is the same.
    const again = await placeInput(workspace, inputOf('desktop-gaming', gpu, chosen), roots)
    assert.deepEqual(again.placement, input.placement)
  })

  test('the card of a router’s uplink counts as its device', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const nic = { role: 'wan', mac: '52:54:00:00:00:01', link: 'up', isolated: false } as const
    const nics = [{ ...nic, pci: { domain: '0000', bus: '43', slot: '00', function: '0' } }]
    const input = inputOf('server-plain', { ...disk, pin: true }, { nics })
    const { placement } = await placeInput(workspace, input, await hwlocRoots(HOST))
    assert.deepEqual(placement?.memoryNodes, [2])
  })

  test('a host without room refuses with what would fit, and no pins come of it', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const input = inputOf('server-plain', { ...disk, pin: true, vcpus: 2 })
    await assert.rejects(placeInput(workspace, input, await hwlocRoots('2amd64-2n')), {
      code: 'PLACEMENT_IMPOSSIBLE',
      message: /No room to pin 2 vCPUs/,
      hint: '1 vCPU would fit; or let the machine run unpinned.',
    })
  })

  test('huge pages: of the node where they are free, in the size that the guest’s cell names', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const wish = { ...disk, pin: true, hugepages: true, memory: '2GiB' }
    const roots = await withPages(t, { 0: 0, 1: 0, 2: 0, 3: 1024 })
    const input = await placeInput(workspace, inputOf('server-plain', wish), roots)
    const xml = await render(input)
    assert.match(xml, /<page size='2048' unit='KiB' nodeset='0'\/>/)
    assert.match(xml, /<memnode cellid='0' mode='strict' nodeset='3'\/>/)
    // Without pins: no node, no cputune.
    const floating = await render(await placeInput(workspace, inputOf('server-plain', { ...wish, pin: false }), roots))
    assert.match(floating, /<page size='2048' unit='KiB' nodeset='0'\/>/)
    assert.doesNotMatch(floating, /cputune|numatune/)
  })

  test('too few huge pages are no refusal, but say how many to reserve; a size that does not divide is one', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const roots = await withPages(t, { 0: 3, 1: 3, 2: 3, 3: 3 })
    const wish = (memory: string) => inputOf('server-plain', { ...disk, hugepages: true, memory })
    const { placement } = await placeInput(workspace, wish('2GiB'), roots)
    assert.match(placement?.reasons.join(' ') ?? '', /Missing are 1012 of 1024 huge pages of 2 MiB \(12 are free\)/)
    await assert.rejects(placeInput(workspace, wish('2097153KiB'), roots), {
      code: 'HUGEPAGES_MISSING',
      hint: 'Take 2048 MiB or 2050 MiB, or smaller pages.',
    })
  })
})
