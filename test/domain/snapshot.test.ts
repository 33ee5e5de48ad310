import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  descendantsOf,
  describeContent,
  inOrder,
  parseSnapshotName,
  readSnapshotFacts,
} from '../../src/domain/snapshot.ts'

const one = (name: string, parent: string | undefined, second: number) => ({
  name,
  parent,
  time: new Date(second * 1000),
})

describe('snapshots', () => {
  const tree = [one('c', 'a', 3), one('d', 'b', 4), one('a', undefined, 1), one('b', 'a', 2), one('lost', 'gone', 0)]

  test('stand in order of their tree, the older branch first; one whose parent is gone is a root', () => {
    assert.deepEqual(
      inOrder(tree).map(({ name }) => name),
      ['lost', 'a', 'b', 'd', 'c'],
    )
    assert.deepEqual(
      descendantsOf(tree, 'a').map(({ name }) => name),
      ['c', 'b', 'd'],
    )
  })

  test('are read as libvirt writes them, with the file that each disk had then', () => {
    const facts =
      readSnapshotFacts(`<domainsnapshot><name>s3</name><state>running</state><parent><name>s2</name></parent>
      <description>a &amp; b</description><creationTime>1795684817</creationTime>
      <memory snapshot='external' file='/x/s3.memory'/>
      <disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/x/3.qcow2'/></disk>
        <disk name='sda' snapshot='no'/></disks>
      <domain><devices><disk type='file' device='disk'><driver type='qcow2'/><source file='/x/2.qcow2'/><target dev='vda'/></disk>
      </devices></domain></domainsnapshot>`)
    assert.equal(facts.parent, 's2')
    assert.equal(facts.description, 'a & b')
    assert.deepEqual(facts.memory, { kind: 'external', file: '/x/s3.memory' })
    assert.deepEqual(facts.disks, [{ target: 'vda', kind: 'external', file: '/x/2.qcow2', format: 'qcow2' }])
    assert.equal(describeContent(facts), 'disk and memory')
  })

  test('have names that fit one line and no path', () => {
    for (const name of ['before-upgrade', '20260501T120000Z', 'vor dem Umzug', 'état 2'])
      assert.equal(parseSnapshotName(name), name)
    for (const name of ['', ' a', 'a ', '../a', 'a/b', 'a\nb', '-a', 'x'.repeat(200)]) {
      assert.throws(() => parseSnapshotName(name), /Not a name for a snapshot/)
    }
  })
})
