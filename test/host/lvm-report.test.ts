/** The reports are what vgs and lvs of LVM 2.03.16 said of a group with a thin pool. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLogicalVolumes, parseVolumeGroups } from '../../src/host/lvm-report.ts'

const report = (kind: string, ...rows: readonly Record<string, string>[]): string =>
  JSON.stringify({ report: [{ [kind]: rows }] })

test('a volume group has its sizes in bytes', () => {
  const text = report('vg', {
    vg_name: 'vmtest',
    vg_size: '264241152',
    vg_free: '230686720',
    vg_extent_size: '4194304',
  })
  assert.deepEqual(parseVolumeGroups(text), [
    { name: 'vmtest', size: 264_241_152, free: 230_686_720, extentSize: 4_194_304 },
  ])
  assert.deepEqual(parseVolumeGroups('{"report":[{"vg":[]}]}'), [])
})

test('a logical volume has its tags, a thin pool how full it is', () => {
  const none = { pool_lv: '', data_percent: '', metadata_percent: '', lv_tags: '', lv_path: '' }
  const rows = [
    { ...none, lv_name: 'x', lv_size: '33554432', lv_attr: '-wi-XX----', lv_tags: 'vmpkg,vmpkg.0123456789abcdef' },
    {
      ...none,
      lv_name: 'pool0',
      lv_size: '671088640',
      lv_attr: 'twi-aotz--',
      data_percent: '0.35',
      metadata_percent: '10.45',
    },
    {
      ...none,
      lv_name: 't',
      lv_size: '272629760',
      lv_attr: 'Vwi-aotz--',
      pool_lv: 'pool0',
      data_percent: '0.87',
      lv_path: '/dev/vg0/t',
    },
  ]
  const [plain, pool, thin] = parseLogicalVolumes(report('lv', ...rows))
  assert.deepEqual(plain?.tags, ['vmpkg', 'vmpkg.0123456789abcdef'])
  assert.deepEqual([plain.isActive, plain.isThinPool, plain.path], [false, false, undefined])
  assert.deepEqual(
    [pool?.isThinPool, pool?.isActive, pool?.dataPercent, pool?.metadataPercent],
    [true, true, 0.35, 10.45],
  )
  assert.deepEqual(
    [thin?.pool, thin?.dataPercent, thin?.metadataPercent, thin?.path],
    ['pool0', 0.87, undefined, '/dev/vg0/t'],
  )
})

test('what is no such report is not taken for an empty one', () => {
  assert.throws(() => parseVolumeGroups('{}'), SyntaxError)
  assert.throws(() => parseVolumeGroups('no JSON'), SyntaxError)
  assert.throws(() => parseLogicalVolumes(report('lv', { lv_name: 'x' })), SyntaxError)
  assert.throws(
    () => parseVolumeGroups(report('vg', { vg_name: 'v', vg_size: '1.5g', vg_free: '0', vg_extent_size: '1' })),
    SyntaxError,
  )
})
