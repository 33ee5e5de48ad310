import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideFormat, formatsByName, looksLike, parseImageFormat } from '../../src/image/format.ts'

const qcow2 = Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(500)])

test('formatsByName reads format and compression from the end of a name', () => {
  assert.deepEqual(formatsByName('a.b.qcow2.xz'), { format: 'qcow2', compression: 'xz' })
  assert.deepEqual(formatsByName('A.ISO'), { format: 'iso', compression: undefined })
  assert.deepEqual(formatsByName('a.img'), { format: undefined, compression: undefined })
  assert.deepEqual(formatsByName('raw'), { format: undefined, compression: undefined })
})

test('what is declared raw stays raw, whatever it looks like (A08)', () => {
  assert.equal(decideFormat(qcow2, { declared: 'raw', name: 'a.qcow2' }), 'raw')
  assert.equal(decideFormat(qcow2, { declared: undefined, name: 'a.raw' }), 'raw')
})

test('a name that says nothing is not guessed at, and a contradiction is refused', () => {
  assert.throws(() => decideFormat(qcow2, { declared: undefined, name: 'a.img' }), { code: 'IMAGE_INVALID' })
  assert.throws(() => decideFormat(Buffer.alloc(600), { declared: 'qcow2', name: 'a' }), { code: 'IMAGE_INVALID' })
  assert.throws(() => decideFormat(qcow2, { declared: undefined, name: 'a.vdi' }), {
    code: 'IMAGE_INVALID',
    hint: /qcow2/,
  })
  assert.equal(decideFormat(qcow2, { declared: 'qcow2', name: 'a.img' }), 'qcow2')
})

test('looksLike knows every format and short files', () => {
  assert.equal(looksLike(Buffer.from('# Disk DescriptorFile\n')), 'vmdk')
  assert.equal(looksLike(Buffer.from('KDMV')), 'vmdk')
  assert.equal(looksLike(Buffer.alloc(0)), undefined)
})

test('parseImageFormat refuses formats that are none', () => {
  assert.equal(parseImageFormat('vdi'), 'vdi')
  assert.throws(() => parseImageFormat('vhdx'), { code: 'USAGE' })
})
