import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humanReporter, jsonReporter, plainReporter } from '../../src/cli/report.ts'
import type { VmpkgEvent } from '../../src/events.ts'

const MIB = 1024 * 1024
const SUBJECT = 'router-uni root'
const FETCH: readonly VmpkgEvent[] = [
  { type: 'stage-started', stage: 'fetch', subject: 'router-uni' },
  { type: 'fetch-started', subject: SUBJECT, sizeBytes: 8 * MIB },
  { type: 'fetch-progressed', subject: SUBJECT, receivedBytes: 2 * MIB },
  { type: 'fetch-progressed', subject: SUBJECT, receivedBytes: 4 * MIB },
  { type: 'fetch-finished', subject: SUBJECT, from: 'network' },
]
const WARNING: VmpkgEvent = { type: 'warned', code: 'ENVELOPE_EXPIRED', message: 'old\u001b[2J', hint: 'resign it' }

test('the plain reporter says each finished thing on a line of its own, without escapes', () => {
  const written: string[] = []
  const { emit } = plainReporter((text) => written.push(text), false)
  for (const event of [...FETCH, { type: 'noted', message: 'a note' } as const, WARNING]) emit(event)
  emit({ type: 'stage-finished', stage: 'attest', subject: 'the rules' })
  assert.deepEqual(written, [
    'Fetched router-uni root (8.0 MiB, network)\n',
    'N: a note\n',
    'W: old?[2J [ENVELOPE_EXPIRED]\n   resign it\n',
    'Attested the rules\n',
  ])
})

test('quiet leaves warnings only', () => {
  const written: string[] = []
  const { emit } = plainReporter((text) => written.push(text), true)
  for (const event of [...FETCH, WARNING]) emit(event)
  assert.deepEqual(written, ['W: old?[2J [ENVELOPE_EXPIRED]\n   resign it\n'])
})

test('the JSON reporter writes one document a line, with its schema and the time', () => {
  const written: string[] = []
  const { emit } = jsonReporter(
    (text) => written.push(text),
    () => new Date('2026-06-01T12:00:00Z'),
  )
  emit(WARNING)
  assert.equal(written[0]?.endsWith('}\n'), true)
  assert.deepEqual(JSON.parse(written[0] ?? ''), {
    schema: 'vmpkg.event/1',
    time: '2026-06-01T12:00:00.000Z',
    ...WARNING,
  })
})

test('on a terminal one line is redrawn: share, speed and time left, and cleared before anything else', () => {
  let now = 1_000
  const written: string[] = []
  const reporter = humanReporter(
    (text) => written.push(text),
    () => 100,
    () => now,
  )
  for (const event of FETCH) {
    reporter.emit(event)
    now += 1_000
  }
  const shown = written.join('')
  assert.match(shown, /router-uni root \[#####\.{15}\] 25% of 8\.0 MiB {2}2\.0 MiB\/s {2}3 s left/)
  assert.match(shown, /\[#{10}\.{10}\] 50% of 8\.0 MiB {2}2\.0 MiB\/s {2}2 s left/)
  assert.ok(shown.endsWith('\r\u001b[KFetched router-uni root (8.0 MiB, network)\n'))
  const before = written.length
  reporter.clear()
  assert.equal(written.length, before, 'there is nothing left to clear')
})

test('progress is drawn ten times a second at most, and never wider than the terminal', () => {
  let now = 1_000
  const written: string[] = []
  const { emit } = humanReporter(
    (text) => written.push(text),
    () => 30,
    () => now,
  )
  emit({ type: 'fetch-started', subject: SUBJECT, sizeBytes: undefined })
  for (let i = 0; i < 1000; i++) {
    emit({ type: 'fetch-progressed', subject: `${SUBJECT} ${'x'.repeat(50)}`, receivedBytes: i })
    now += 1
  }
  const drawn = written.filter((text) => text !== '\r\u001b[K')
  assert.ok(drawn.length >= 9 && drawn.length <= 11, String(drawn.length))
  for (const text of drawn) assert.ok(text.length < 30)
})
