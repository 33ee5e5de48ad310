import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { REAL_ROOTS } from '../../src/host/kernel-files.ts'
import { libvirtPages } from '../../src/host/libvirt-pages.ts'
import { readTopology } from '../../src/host/read-topology.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { findPciNode, readHostFacts, readRemoteFacts } from '../../src/operations/host-facts.ts'
import { placeMachine } from '../../src/operations/place-machine.ts'
import { unpackHwlocTrees } from '../support/host-trees.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function hwlocRoots(name: string) {
  const tree = (await unpackHwlocTrees()).find((candidate) => candidate.name === `hwloc/${name}`)
  assert.ok(tree)
  return { sysfs: tree.sysfs, procfs: tree.procfs }
}

const domain = (name: string, vcpu: string, more: string): string =>
  `<domain type='qemu'><name>${name}</name><memory unit='MiB'>16</memory>${vcpu}${more}` +
  `<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>`

describe('with a libvirt of its own', { skip: withoutLibvirt }, () => {
  let daemon: PrivateLibvirt
  before(async () => {
    daemon = await startPrivateLibvirt()
  })
  after(() => daemon.stop())

  test('readHostFacts lists machines that libvirt keeps on some CPUs, with the mistakes in their pins', async (t) => {
    await using connect = await Connect.open(daemon.uri())
    const pins = "<cputune><vcpupin vcpu='0' cpuset='2-3'/></cputune>"
    await connect.domainDefineXML({ xml: domain('pinned', '<vcpu>2</vcpu>', pins) })
    await connect.domainDefineXML({ xml: domain('floating', "<vcpu cpuset='8-15,^9'>1</vcpu>", '') })
    await connect.domainDefineXML({ xml: domain('anywhere', '<vcpu>1</vcpu>', '') })
    const workspace = await openLocalWorkspace(t, { connect: daemon.uri() })
    const roots = await hwlocRoots('32intel64-2p8co2t+8ve')
    const { machines } = await readHostFacts(workspace, roots)
    assert.deepEqual(
      machines.map(({ machine, cpus, isActive }) => ({ machine, cpus, isActive })),
      [
        { machine: 'floating', cpus: [8, 10, 11, 12, 13, 14, 15], isActive: false },
        { machine: 'pinned', cpus: [2, 3], isActive: false },
      ],
    )
    assert.equal(machines[1]?.findings[0]?.message, 'vCPU 1 is not pinned, the others are.')
    // Cores 2, 3 and 8 to 15 have others; the machine's own pins do not stand in its way.
    const { placement } = await placeMachine(workspace, {
      vcpus: 4,
      memoryKib: 1024 ** 2,
      pin: 'yes',
      hugepages: 'no',
      near: [],
      machine: 'pinned',
      roots,
    })
    assert.match(placement.reasons.join(' '), /CPUs of floating are left alone/)
    assert.ok(placement.vcpuPins.every(({ cpus }) => cpus.every((cpu) => ![8, 10, 24].includes(cpu))))
  })

  test('readRemoteFacts agrees with this machine’s own sysfs', async () => {
    await using connect = await Connect.open(daemon.uri())
    const { topology, memory } = await readRemoteFacts(connect)
    const own = readTopology(REAL_ROOTS)
    assert.deepEqual(
      topology.cpus.map(({ id, siblings }) => ({ id, siblings })),
      own.cpus.map(({ id, siblings }) => ({ id, siblings })),
    )
    const pools = libvirtPages(connect)
    for (const { sizeKib, total, free } of memory.hugepages) {
      assert.deepEqual(await pools.read({ sizeKib }), { total, free })
    }
  })
})

describe('readHostFacts', () => {
  test('tells a host’s facts where no libvirt answers', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const { topology, machines } = await readHostFacts(workspace, await hwlocRoots('96em64t-4n4d3ca2co'))
    assert.equal(topology.cpus.length, 96)
    assert.deepEqual(machines, [])
  })

  test('refuses a folder that describes no processor', async (t) => {
    const folder = await makeTempFolder(t)
    const workspace = await openLocalWorkspace(t)
    await assert.rejects(readHostFacts(workspace, { sysfs: folder, procfs: folder }), { code: 'HOST_UNSUPPORTED' })
  })
})

describe('findPciNode', () => {
  test('reads the node of a device, in either form of its address', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const sysfs = await makeTempFolder(t)
    const roots = { sysfs, procfs: sysfs }
    for (const [address, node] of [
      ['0000:3b:00.0', '1'],
      ['0000:00:1f.2', '-1'],
    ] as const) {
      await mkdir(join(sysfs, 'bus/pci/devices', address), { recursive: true })
      await writeFile(join(sysfs, 'bus/pci/devices', address, 'numa_node'), `${node}\n`)
    }
    assert.equal(await findPciNode(workspace, '3B:00.0', roots), 1)
    assert.equal(await findPciNode(workspace, '0000:00:1f.2', roots), undefined)
    await assert.rejects(findPciNode(workspace, '0000:01:00.0', roots), { code: 'USAGE', message: /no PCI device/ })
    await assert.rejects(findPciNode(workspace, '../../etc', roots), { code: 'USAGE', message: /Not a PCI address/ })
  })
})
