import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parseCapabilitiesTopology } from '../../src/host/capabilities-topology.ts'
import { readTopology } from '../../src/host/read-topology.ts'
import { listCores } from '../../src/host/topology.ts'
import { linkLibvirtTrees } from '../support/host-trees.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('parseCapabilitiesTopology', () => {
  test('agrees with sysfs about processors, nodes and last caches of the hosts in libvirt’s tests', async (t) => {
    const trees = await linkLibvirtTrees(await makeTempFolder(t))
    for (const { name, sysfs, procfs, expected = '' } of trees) {
      const told = parseCapabilitiesTopology(expected)
      const read = readTopology({ sysfs, procfs })
      const plain = (cpu: (typeof told.cpus)[number]): unknown => {
        const { id, packageId, dieId, clusterId, coreId, siblings } = cpu
        return { id, packageId, dieId, clusterId, coreId, siblings }
      }
      assert.deepEqual(told.cpus.map(plain), read.cpus.map(plain), name)
      assert.deepEqual(listCores(told).length, listCores(read).length, name)
      for (const bank of told.caches) {
        assert.ok(
          read.caches.some((cache) => isDeepStrictEqual(cache, bank)),
          `${name}: ${JSON.stringify(bank)}`,
        )
      }
      for (const node of told.nodes) {
        const own = read.nodes.find(({ id }) => id === node.id)
        if (read.nodes.length > 0) assert.deepEqual(node.cpus, own?.cpus, `${name}: node ${node.id}`)
      }
      // libvirt's test replaces what it reads about memory by these figures.
      assert.deepEqual(
        told.nodes[0]?.hugepages.map(({ sizeKib, total }) => [sizeKib, total]),
        [
          [2048, 4096],
          [1_048_576, 6144],
        ],
        name,
      )
    }
    assert.ok(trees.length >= 9, `only ${trees.length} hosts`)
  })

  test('refuses capabilities without a topology', () => {
    assert.throws(() => parseCapabilitiesTopology('<capabilities><host/></capabilities>'), { code: 'HOST_UNSUPPORTED' })
  })
})
