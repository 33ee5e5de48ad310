import assert from 'node:assert/strict'
import { test } from 'node:test'
import { supportedNode } from '../../src/cli/node-version.ts'

function judge(t: { mock: typeof import('node:test').mock }, version: string): { supported: boolean; said: string } {
  const write = t.mock.method(process.stderr, 'write', () => true)
  const supported = supportedNode(version)
  const said = write.mock.calls.map(({ arguments: [text] }) => String(text)).join('')
  write.mock.restore()
  return { supported, said }
}

test('24.12 and everything later is accepted without a word', (t) => {
  for (const version of ['24.12.0', '24.21.3', '25.0.0', '100.1.2']) {
    assert.deepEqual(judge(t, version), { supported: true, said: '' }, version)
  }
})

test('an older one is refused with HOST_UNSUPPORTED and the way out', (t) => {
  for (const version of ['24.11.1', '22.22.0', '20.19.2', '']) {
    const { supported, said } = judge(t, version)
    assert.equal(supported, false, version)
    assert.match(said, /^E: .*24\.12 or later.*\[HOST_UNSUPPORTED\]\n {3}\S/)
  }
})
