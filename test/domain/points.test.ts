import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findPoints, type KnownSnapshot, readDisks, readSnapshot } from '../../src/domain/points.ts'
import type { ChainFile } from '../../src/image/chain.ts'

const at = (hour: number): Date => new Date(Date.UTC(2026, 0, 1, hour))

function layer(
  file: string,
  hour: number,
  backing?: string,
  snapshots: ChainFile['snapshots'] = [],
): [string, ChainFile] {
  return [file, { file, format: 'qcow2', virtualSize: 1024, modified: at(hour), backing, snapshots }]
}

const external = (name: string, hour: number, file: string, target = 'vda'): KnownSnapshot => ({
  name,
  time: at(hour),
  disks: [{ target, kind: 'external', file, format: 'qcow2' }],
})

function points(files: readonly [string, ChainFile][], snapshots: readonly KnownSnapshot[], withoutNow = false) {
  const map = new Map(files)
  return findPoints({
    target: 'vda',
    top: files.at(-1)?.[0] ?? '',
    files: map,
    snapshots,
    keyOf: (file) => (map.has(file) ? file : undefined),
    withoutNow,
    now: at(23),
  }).map(({ name, kind, file, doubt }) => `${kind} ${name} ${file}${doubt === undefined ? '' : ' ?'}`)
}

describe('findPoints', () => {
  test('an external snapshot is the file that was left, an unnamed layer counts too, and now is the last', () => {
    const files = [layer('/a', 1), layer('/b', 3, '/a'), layer('/c', 5, '/b')]
    assert.deepEqual(points(files, [external('two', 3, '/b')]), ['layer a /a', 'snapshot two /b', 'now now /c'])
    assert.deepEqual(points(files, [external('two', 3, '/b')], true), ['layer a /a', 'snapshot two /b'])
  })

  test('of one second, the lower layer is the earlier point, and a base copied later is no later than what stands on it', () => {
    const files = [layer('/a', 9), layer('/b', 3, '/a'), layer('/c', 3, '/b'), layer('/d', 5, '/c')]
    const known = [external('two', 3, '/c'), external('one', 3, '/b')]
    assert.deepEqual(points(files, known), ['layer a /a', 'snapshot one /b', 'snapshot two /c', 'now now /d'])
  })

  test('a branch that is not below the present is a point, a file that is gone or written to now is none', () => {
    const files = [layer('/a', 1), layer('/side', 2, '/a'), layer('/b', 3, '/a')]
    const known = [
      external('base', 1, '/a'),
      external('side', 2, '/side'),
      external('lost', 2, '/gone'),
      external('top', 3, '/b'),
    ]
    assert.deepEqual(points(files, known), ['snapshot base /a', 'snapshot side /side', 'now now /b'])
  })

  test('internal snapshots count, those of another disk do not, and a file written to later is doubted', () => {
    const inner = [{ id: '1', name: 'inner', time: at(2) }]
    const files = [layer('/a', 8, undefined, inner), layer('/b', 9, '/a')]
    const known = [external('outer', 4, '/a'), external('other', 3, '/a', 'vdb')]
    assert.deepEqual(points(files, known), ['snapshot inner /a', 'snapshot outer /a ?', 'now now /b'])
  })
})

test('a snapshot’s XML tells its time and what its disks were', () => {
  const xml = `<domainsnapshot><name>s1</name><creationTime>1767225600</creationTime><disks>
    <disk name='vda' snapshot='external' type='file'><source file='/new'/></disk>
    <disk name='vdb' snapshot='no'/><disk name='/old-c' snapshot='internal'/></disks>
    <domain><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/old'/><target dev='vda'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/old-b'/><target dev='vdb'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/old-c'/><target dev='vdc'/></disk>
    </devices></domain></domainsnapshot>`
  assert.deepEqual(readSnapshot(xml), {
    name: 's1',
    time: at(0),
    disks: [
      { target: 'vda', kind: 'external', file: '/old', format: 'qcow2' },
      { target: 'vdc', kind: 'internal', file: '/old-c', format: 'qcow2' },
    ],
  })
})

test('media are no disks', () => {
  const xml = `<domain><devices><disk type='file' device='cdrom'><target dev='sda'/></disk>
    <disk type='file' device='disk'><source file='/x'/><target dev='vda'/></disk></devices></domain>`
  assert.deepEqual(
    readDisks(xml).map(({ target }) => target),
    ['vda'],
  )
})
