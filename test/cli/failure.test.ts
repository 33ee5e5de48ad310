import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommanderError } from 'commander'
import { printFailure } from '../../src/cli/failure.ts'
import { VmpkgError } from '../../src/errors.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'

function printed(error: unknown, style: { json?: boolean; verbose?: boolean } = {}): string {
  let text = ''
  printFailure(error, { json: false, verbose: false, ...style, write: (piece) => (text += piece) })
  return text
}

const CHAIN = new VmpkgError('DIGEST_MISMATCH', 'It\u001b[2J is another', {
  hint: 'Fetch https://me:secret@example.org again.',
  cause: new Error('nearest\nmore of it', { cause: new Error('farthest') }),
  details: { size: 3 },
})

test('a failure is its message with the code, the hint and the nearest cause, fit for a terminal', () => {
  assert.equal(
    printed(CHAIN),
    'E: It?[2J is another [DIGEST_MISMATCH]\n   Fetch https://***@example.org again.\n   because: nearest\n',
  )
})

test('the code is in the first line of a message of several', () => {
  const text = printed(
    new VmpkgError('RELATION_CONFLICT', 'a cannot be had\n  Because it conflicts.', { hint: 'Ask.' }),
  )
  assert.equal(text, 'E: a cannot be had [RELATION_CONFLICT]\n   Because it conflicts.\n   Ask.\n')
})

test('a finding that the message names already is not told twice, and usage is told in sentences', () => {
  const findings = [{ path: 'domain/rng[2]', reason: 'only one is allowed' }]
  const message = 'Refused: domain/rng[2]: only one is allowed'
  assert.equal(printed(new VmpkgError('POLICY_REFUSED', message, { details: { findings } })).split('rng').length, 2)
  const usage = new CommanderError(1, 'x', "error: unknown option '--a'\n(Did you mean --b?)")
  assert.match(printed(usage), /^E: Unknown option '--a' \(Did you mean --b\?\) \[USAGE\]\n/)
})

test('--verbose shows the whole chain of causes', () => {
  assert.match(printed(CHAIN, { verbose: true }), /because: nearest\nmore of it\n {3}because: farthest\n$/)
})

test('findings are listed with their places', () => {
  const findings = [{ path: 'domain/devices/hostdev', reason: 'is not allowed' }, 'plain']
  const text = printed(new VmpkgError('POLICY_REFUSED', 'refused', { details: { findings } }))
  assert.match(text, /\n {3}- domain\/devices\/hostdev: is not allowed\n {3}- plain\n/)
})

test('with --json a failure is one line of one object', () => {
  const text = printed(CHAIN, { json: true })
  assert.equal(text.indexOf('\n'), text.length - 1)
  assert.deepEqual(JSON.parse(text), {
    schema: 'vmpkg.error/1',
    code: 'DIGEST_MISMATCH',
    message: 'It\u001b[2J is another',
    hint: 'Fetch https://***@example.org again.',
    details: { size: 3 },
    causes: ['nearest\nmore of it', 'farthest'],
  })
})

test('several failures are told one after the other', () => {
  const both = new AggregateError([new VmpkgError('DOWNLOAD_FAILED', 'one'), new VmpkgError('KEY_EXPIRED', 'two')])
  assert.match(printed(both), /^E: one \[DOWNLOAD_FAILED\]\n {3}\S.*\nE: two \[KEY_EXPIRED\]\n {3}\S.*\n$/)
})

test('a refusal of libvirt is told in its own words, once', () => {
  const text = printed(
    new LibvirtError({ code: 1, domain: 0, message: 'no such device', level: 2, int1: 0, int2: 0, texts: [] }),
  )
  assert.match(text, /^E: libvirt refused: no such device \[LIBVIRT_FAILED\]\n/)
  assert.equal(text.split('no such device').length, 2)
})

test('a fault of vmpkg says so, and its stack only on demand', () => {
  const fault = new TypeError('x is not a function')
  assert.match(printed(fault), /^E: vmpkg met a fault of its own: x is not a function \[INTERNAL\]\n/)
  assert.doesNotMatch(printed(fault), / at .*failure\.test/)
  assert.match(printed(fault, { verbose: true }), / at .*failure\.test/)
})
