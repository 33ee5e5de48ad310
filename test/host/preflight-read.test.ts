import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { parseDomainDemand } from '../../src/host/preflight-demand.ts'
import type { HostFacts } from '../../src/host/preflight-facts.ts'
import { parseListeners, parseMemlockKib, parseRoutes, readHostFacts } from '../../src/host/preflight-read.ts'
import { lockLine } from '../support/lock-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function writeTree(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

async function read(root: string, devices: string, head = '', fresh: readonly string[] = []): Promise<HostFacts> {
  const demand = parseDomainDemand(
    `<domain type='kvm'><name>w</name><memory>1</memory>${head}<devices>${devices}</devices></domain>`,
  )
  assert.ok(demand !== undefined)
  return readHostFacts(demand, {
    sysfs: join(root, 'sys'),
    proc: join(root, 'proc'),
    procNet: join(root, 'proc/net'),
    dev: join(root, 'dev'),
    path: join(root, 'bin'),
    firmwareFolder: join(root, 'fw'),
    user: undefined,
    changesOwners: false,
    isPrivileged: false,
    fresh,
  })
}

const pci = "<hostdev type='pci'><source><address bus='0x01' slot='0x00' function='0x0'/></source></hostdev>"

test('nothing is read that the definition does not need', async (t) => {
  const facts = await read(await makeTempFolder(t), '')
  const { files, changesOwners: _changesOwners, ...others } = facts
  assert.equal(files.size, 0)
  assert.deepEqual(
    Object.values(others).filter((value) => value !== undefined),
    [],
  )
})

test('a device’s driver, group and mates, bridges left out', async (t) => {
  const root = await makeTempFolder(t)
  const device = (address: string): string => `sys/bus/pci/devices/${address}`
  await writeTree(root, {
    [`${device('0000:01:00.0')}/class`]: '0x030000\n',
    [`${device('0000:01:00.1')}/class`]: '0x040300\n',
    [`${device('0000:00:01.0')}/class`]: '0x060400\n',
    'sys/kernel/iommu_groups/11/type': 'DMA\n',
    'sys/bus/pci/drivers/snd_hda_intel/bind': '',
  })
  const group = join(root, 'sys/kernel/iommu_groups/11/devices')
  await mkdir(group)
  for (const address of ['0000:01:00.0', '0000:01:00.1', '0000:00:01.0']) {
    await symlink(join(root, device(address)), join(group, address))
    await symlink('../../../../kernel/iommu_groups/11', join(root, device(address), 'iommu_group'))
  }
  await symlink('../../../../bus/pci/drivers/snd_hda_intel', join(root, device('0000:01:00.1'), 'driver'))
  const facts = await read(root, pci)
  assert.deepEqual(facts.pci?.get('0000:01:00.0'), {
    driver: undefined,
    group: 11,
    mates: [{ address: '0000:01:00.1', driver: 'snd_hda_intel' }],
  })
})

test('hugepages by size and node, processors, nodes and the limit of locked memory', async (t) => {
  const root = await makeTempFolder(t)
  await writeTree(root, {
    'proc/meminfo': 'MemAvailable: 5000 kB\nHugepagesize:       2048 kB\n',
    'proc/self/limits': 'Max locked memory         65536                unlimited            bytes     \n',
    'sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '7\n',
    'sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages': '0\n',
    'sys/devices/system/node/online': '0-1\n',
    'sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages': '3\n',
    'sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages': '4\n',
    'sys/devices/system/cpu/present': '0-7\n',
    'sys/devices/system/cpu/online': '0-3,6\n',
  })
  const facts = await read(
    root,
    pci,
    "<memoryBacking><hugepages/></memoryBacking><numatune><memory nodeset='0'/></numatune><cputune><emulatorpin cpuset='1'/></cputune>",
  )
  assert.equal(facts.availableMemoryKib, 5_000)
  assert.equal(facts.defaultHugepageKib, 2_048)
  assert.deepEqual(facts.hugepages?.get(2_048), {
    free: 7,
    byNode: new Map([
      [0, 3],
      [1, 4],
    ]),
  })
  assert.deepEqual(facts.nodes, [0, 1])
  assert.deepEqual(facts.onlineCpus, [0, 1, 2, 3, 6])
  assert.equal(facts.presentCpus?.length, 8)
  assert.equal(facts.memlockKib, 64)
  assert.equal(
    parseMemlockKib('Max locked memory         unlimited            unlimited            bytes'),
    Number.POSITIVE_INFINITY,
  )
})

test('USB, mediated devices, render nodes, swtpm and interfaces', async (t) => {
  const root = await makeTempFolder(t)
  await writeTree(root, {
    'sys/bus/usb/devices/1-4/idVendor': '046d\n',
    'sys/bus/usb/devices/1-4/idProduct': 'c52b\n',
    'sys/bus/usb/devices/1-4/busnum': '1\n',
    'sys/bus/usb/devices/1-4/devnum': '4\n',
    'sys/bus/usb/devices/1-0:1.0/bInterfaceClass': '09\n',
    'sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804/x': '',
    'dev/dri/renderD128': '',
    'dev/dri/card0': '',
    'bin/swtpm': '',
    'proc/net/dev': 'Inter-|   Receive\n face |bytes\n    lo: 1 2\nvirbr0: 3 4\n',
    'proc/net/route':
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\neth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\neth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n',
  })
  const facts = await read(
    root,
    "<hostdev type='usb'><source/></hostdev><hostdev type='mdev'><source><address uuid='x'/></source></hostdev><graphics><gl/></graphics><tpm><backend type='emulator'/></tpm><interface type='bridge'><source bridge='virbr0'/></interface>",
  )
  assert.deepEqual(
    facts.usb?.map(({ vendor, product, bus, device }) => [vendor, product, bus, device]),
    [['046d', 'c52b', 1, 4]],
  )
  assert.deepEqual(facts.mdevs, ['c2177883-f1bb-47f0-914d-32a22e3a8804'])
  assert.deepEqual(facts.renderNodes, ['/dev/dri/renderD128'])
  assert.equal(facts.hasSwtpm, true)
  assert.deepEqual(facts.interfaces, ['lo', 'virbr0'])
  assert.deepEqual(facts.subnets, [{ cidr: '10.0.2.0/24', interface: 'eth0' }])
})

test('the kernel’s own table of sockets names a port that really listens', async () => {
  const { readFile } = await import('node:fs/promises')
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const listeners = parseListeners(await readFile('/proc/net/tcp', 'utf8'), 'tcp')
  server.close()
  assert.ok(listeners.some((one) => one.port === address.port && one.address === '127.0.0.1'))
  const six =
    '   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000\n   1: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000\n'
  assert.deepEqual(parseListeners(six, 'tcp'), [{ protocol: 'tcp', address: '::1', port: 8080 }])
  assert.deepEqual(parseListeners(six, 'udp'), [{ protocol: 'udp', address: '::', port: 53 }])
  assert.deepEqual(parseRoutes(''), [])
})

test('a lock counts on a disk that is written to, and not where the disk was made just now', async (t) => {
  const root = await makeTempFolder(t)
  const path = join(root, 'a.qcow2')
  await writeTree(root, { 'a.qcow2': '' })
  await writeTree(root, { 'proc/locks': await lockLine(path) })
  const disk = (more: string): string =>
    `<disk type='file' device='disk'><source file='${path}'/><target dev='vda'/>${more}</disk>`
  const isLocked = async (more: string, fresh: readonly string[] = []): Promise<boolean | undefined> =>
    (await read(root, disk(more), '', fresh)).files.get(path)?.isLocked
  assert.equal(await isLocked(''), true)
  assert.equal(await isLocked('<readonly/>'), false)
  assert.equal(await isLocked('<shareable/>'), false)
  assert.equal(await isLocked('', [path]), false)
})
