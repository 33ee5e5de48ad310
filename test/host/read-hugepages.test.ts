import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { readMemoryFacts } from '../../src/host/read-hugepages.ts'
import { debianSource } from '../support/debian-source.ts'
import { unpackHwlocTrees } from '../support/host-trees.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readMemoryFacts', () => {
  test('reads sizes, what is promised and allowed beyond, transparent pages and merging', async (t) => {
    const folder = await makeTempFolder(t)
    const pool = 'sys/kernel/mm/hugepages/hugepages-2048kB'
    const files = {
      [`${pool}/nr_hugepages`]: '512\n',
      [`${pool}/free_hugepages`]: '100\n',
      [`${pool}/resv_hugepages`]: '40\n',
      [`${pool}/surplus_hugepages`]: '2\n',
      [`${pool}/nr_overcommit_hugepages`]: '8\n',
      'sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
      'sys/kernel/mm/ksm/run': '1\n',
      'proc/meminfo': 'MemTotal:       16384 kB\nHugepagesize:       2048 kB\n',
    }
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    assert.deepEqual(readMemoryFacts({ sysfs: join(folder, 'sys'), procfs: join(folder, 'proc') }), {
      hugepages: [{ sizeKib: 2048, total: 512, free: 100, surplus: 2, reserved: 40, overcommit: 8 }],
      defaultHugepageKib: 2048,
      transparentHugepages: 'madvise',
      isMerging: true,
    })
  })

  test('a host without any of it has none', async (t) => {
    const folder = await makeTempFolder(t)
    assert.deepEqual(readMemoryFacts({ sysfs: folder, procfs: folder }), { hugepages: [] })
  })

  test('agrees with hwloc about sizes and numbers of a captured host', async () => {
    const name = '2i386-2t-hugepagesizecount'
    const tree = (await unpackHwlocTrees()).find((candidate) => candidate.name === `hwloc/${name}`)
    assert.ok(tree)
    const source = await debianSource('hwloc', { only: ['tests'] })
    const told = await readFile(join(source, 'tests', 'hwloc', 'linux', `${name}.xml.output`), 'utf8')
    const types = [...told.matchAll(/<page_type size="(\d+)" count="(\d+)"\/>/g)]
    assert.deepEqual(
      readMemoryFacts(tree).hugepages.map(({ sizeKib, total }) => [sizeKib * 1024, total]),
      // The first are ordinary pages.
      types.slice(1).map(([, size, count]) => [Number(size), Number(count)]),
    )
  })
})
