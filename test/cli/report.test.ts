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

test('a LAN that was closed is a warning, one that was opened is news', () => {
  const written: string[] = []
  const [news, warnings] = [
    plainReporter((text) => written.push(text), false),
    plainReporter((text) => written.push(text), true),
  ]
  for (const { emit } of [news, warnings]) {
    emit({ type: 'link-changed', subject: 'router-uni', link: 'up', reason: 'it attests its rules' })
    emit({ type: 'link-changed', subject: 'router-uni', link: 'down', reason: 'it said\u001b[2J nothing' })
  }
  const closed = 'W: The LAN of router-uni is closed: it said?[2J nothing\n'
  assert.deepEqual(written, ['The LAN of router-uni is open: it attests its rules\n', closed, closed])
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

test('the JSON reporter tells the progress of one download once a second', () => {
  let now = 0
  const written: string[] = []
  const { emit } = jsonReporter(
    (text) => written.push(text),
    () => new Date(now),
  )
  for (now = 0; now < 5000; now += 10) {
    emit({ type: 'fetch-progressed', subject: 'a', receivedBytes: now })
    emit({ type: 'fetch-progressed', subject: 'b', receivedBytes: now })
  }
  assert.equal(written.length, 10)
})

/** What a terminal of that width shows in the end, and every state it went through. */
function show(columns: number, isUnicode: boolean) {
  let now = 1_000
  const written: string[] = []
  const reporter = humanReporter((text) => written.push(text), { columns: () => columns, now: () => now, isUnicode })
  return {
    written,
    reporter,
    emit: (event: VmpkgEvent, laterMs = 1_000) => {
      reporter.emit(event)
      now += laterMs
    },
  }
}

test('on a terminal one line is redrawn: share, bar, speed and time left, and cleared before anything else', () => {
  const { written, reporter, emit } = show(80, false)
  for (const event of FETCH) emit(event)
  assert.deepEqual(written, [
    'fetch: router-uni ...',
    '\r\u001b[J',
    'router-uni root  25% [####..............] 2.0 MiB/8.0 MiB',
    '\r\u001b[J',
    'router-uni root  50% [#########.........] 4.0 MiB/8.0 MiB 2.0 MiB/s 2 s left',
    '\r\u001b[J',
    'Fetched router-uni root (8.0 MiB, network)\n',
  ])
  reporter.clear()
  assert.equal(written.length, 7, 'there is nothing left to clear')
})

test('several downloads have a line each, and one for all that were planned', () => {
  const { written, emit } = show(80, true)
  emit({ type: 'fetch-planned', objects: 3, sizeBytes: 16 * MIB })
  for (const event of FETCH.slice(1)) emit(event)
  emit({ type: 'fetch-started', subject: 'app one', sizeBytes: 4 * MIB })
  emit({ type: 'fetch-started', subject: 'app two', sizeBytes: 4 * MIB })
  emit({ type: 'fetch-progressed', subject: 'app one', receivedBytes: MIB })
  emit({ type: 'fetch-progressed', subject: 'app two', receivedBytes: MIB })
  emit({ type: 'fetch-progressed', subject: 'app one', receivedBytes: 3 * MIB })
  assert.equal(
    written.at(-1),
    [
      'app one  75% ███████████████      3.0 MiB/4.0 MiB 1.0 MiB/s 1 s left',
      'app two  25% █████                1.0 MiB/4.0 MiB',
      'Total 1/3  75% ███████████████      12.0 MiB/16.0 MiB 857.7 KiB/s 5 s left',
    ].join('\n'),
  )
  assert.equal(written.at(-2), '\r\u001b[J')
  assert.equal(written.at(-3), '\u001b[2A')
})

test('what an image moves less than in full is said, and the total follows the way it comes', () => {
  const way = (kind: 'full' | 'delta', mib: number) => ({ kind, bytes: mib * MIB, requests: 1 })
  const planned = {
    type: 'transfer-planned',
    subject: 'os disk',
    ways: [way('full', 60), way('delta', 10)],
    chosen: way('delta', 10),
    localBytes: 0,
    indexBytes: 0,
    expectedBytes: 12 * MIB,
  } as const
  const { written, emit } = show(80, false)
  emit({ type: 'fetch-planned', objects: 2, sizeBytes: 14 * MIB })
  emit(planned)
  emit({ type: 'fetch-started', subject: 'os disk', sizeBytes: 10 * MIB })
  emit({ type: 'fetch-progressed', subject: 'os disk', receivedBytes: 6 * MIB })
  assert.equal(written.at(-1)?.split('\n')[1], 'Total 0/2  50% [#########.........] 6.0 MiB/12.0 MiB')
  emit({ type: 'fetch-finished', subject: 'os disk', from: 'network' })
  const told = 'Fetched os disk (10.0 MiB of 60.0 MiB, network; 50.0 MiB saved by a delta)\n'
  assert.equal(written.at(-1), told)
  const plain: string[] = []
  const reporter = plainReporter((text) => plain.push(text), false)
  for (const event of [planned, { type: 'fetch-finished', subject: 'os disk', from: 'network' }] as const)
    reporter.emit(event)
  assert.deepEqual(plain, [told])
})

test('progress is drawn ten times a second at most, and never wider than the terminal', () => {
  for (const columns of [12, 30, 40, 60, 80, 200]) {
    const { written, emit } = show(columns, true)
    emit({ type: 'fetch-started', subject: `${SUBJECT} ${'x'.repeat(50)}`, sizeBytes: 5000 }, 0)
    for (let i = 0; i < 1000; i++) {
      emit({ type: 'fetch-progressed', subject: `${SUBJECT} ${'x'.repeat(50)}`, receivedBytes: i }, 1)
    }
    const drawn = written.filter((text) => !text.startsWith('\r') && !text.startsWith('\u001b'))
    assert.ok(drawn.length >= 9 && drawn.length <= 11, String(drawn.length))
    for (const text of drawn) assert.ok(text.length < columns, `${text.length} of ${columns}: ${text}`)
  }
})

test('nothing is coloured', () => {
  const { written, emit } = show(80, true)
  for (const event of [...FETCH, WARNING]) emit(event)
  assert.doesNotMatch(written.join(''), /\u001b\[[\d;]*m/)
})

test('an image that is written has a bar on a terminal, and its last event is never left out of JSON', () => {
  const written: string[] = []
  let now = 0
  const human = humanReporter((text) => written.push(text), { columns: () => 80, now: () => now, isUnicode: false })
  const documents: string[] = []
  const json = jsonReporter(
    (text) => documents.push(text),
    () => new Date(now),
  )
  for (const doneBytes of [0, MIB, 2 * MIB, 4 * MIB]) {
    now += 200
    const event = { type: 'image-progressed', subject: 'disk.qcow2', doneBytes, totalBytes: 4 * MIB } as const
    human.emit(event)
    json.emit(event)
  }
  assert.match(written.join(''), /disk\.qcow2 +50% \[#+\.+\] 2\.0 MiB\/4\.0 MiB/)
  const told = documents.map((text) => (JSON.parse(text) as { doneBytes: number }).doneBytes)
  assert.deepEqual(told, [0, 4 * MIB])
})
