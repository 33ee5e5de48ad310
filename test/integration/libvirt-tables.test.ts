/**
 * The procedure tables against libvirt's own definition, of which test/fixtures/libvirt-procedures.txt holds the facts
 * of 11.3 (made by derive-procedures.ts; 9.0's are the same without the last ten): numbers, releases, streams, and the
 * wire form of every argument and result, field by field.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { AnyCodec, Fields, Shape } from '../../src/libvirt/codecs.ts'
import { events } from '../../src/libvirt/events.ts'
import type { Row } from '../../src/libvirt/methods.ts'
import { PROGRAM } from '../../src/libvirt/protocol.ts'
import { connectionTables, objectTables } from '../support/libvirt-tables.ts'

const fixture = new URL('../fixtures/libvirt-procedures.txt', import.meta.url)
const FACT =
  /^(?<name>\S+) (?<number>\d+)(?<event> event)? \((?<args>.*?)\)(?: -> (?<result>[^~]*?))?(?: ~(?<stream>\w+))?(?: \[(?<since>[\d.]+)\])?$/
const facts = new Map(
  readFileSync(fixture, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const found = FACT.exec(line)?.groups
      assert.ok(found, line)
      const { name = '', number, event, args = '', result = '', stream, since } = found
      return [
        name,
        { name, number: Number(number), isEvent: event !== undefined, args, result, stream, since },
      ] as const
    }),
)

/** Superseded: each has a younger procedure in the tables that does the same and more. */
const SUPERSEDED = new Map([
  [
    /^CONNECT_NUM_OF_|^CONNECT_LIST_(?!ALL_)|^DOMAIN_SNAPSHOT_(NUM|LIST_NAMES|NUM_CHILDREN|LIST_CHILDREN_NAMES)$/,
    'CONNECT_LIST_ALL_…',
  ],
  [/^NODE_(NUM_OF_DEVICES|LIST_DEVICES)$|^STORAGE_POOL_(NUM_OF|LIST)_VOLUMES$/, '…LIST_ALL_…'],
  [
    /^DOMAIN_(ATTACH_DEVICE|DETACH_DEVICE|PIN_VCPU|SET_MEMORY|SET_MAX_MEMORY|SET_VCPUS|GET_MAX_VCPUS|SHUTDOWN|UNDEFINE|CORE_DUMP|RESTORE|SAVE|[GS]ET_SCHEDULER_PARAMETERS)$/,
    'the same name with FLAGS or FORMAT',
  ],
  [
    /^(STORAGE_VOL_WIPE|NODE_DEVICE_DETTACH|NODE_DEVICE_NUM_OF_CAPS|NWFILTER_DEFINE_XML)$/,
    '…_PATTERN, …_FLAGS, …_LIST_CAPS',
  ],
  [/^CONNECT_DOMAIN_EVENT_(DE)?REGISTER(_ANY)?$/, 'CONNECT_DOMAIN_EVENT_CALLBACK_…'],
  [
    /^DOMAIN_MIGRATE_(PREPARE|PERFORM|FINISH)2?$|^DOMAIN_MIGRATE_\w+3$|^DOMAIN_MIGRATE_PREPARE_TUNNEL$/,
    'DOMAIN_MIGRATE_…3_PARAMS',
  ],
])
/** Not for a client in JavaScript, with the reason. */
const OUT_OF_REACH = new Map([
  [/_WITH_FILES$|^DOMAIN_OPEN_GRAPHICS(_FD)?$|^DOMAIN_FD_ASSOCIATE$/, 'passes a file descriptor, which Node cannot'],
  [/^qemu:DOMAIN_ATTACH$/, 'no driver has had it since libvirt 5.5'],
  [/^CONNECT_SET_IDENTITY$/, 'is how one daemon speaks for its client to another'],
])

/** Streams of which the definition is silent, since libvirt wrote both ends by hand. */
const UNMARKED_STREAMS = new Map([['DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS', 'write']])

const tables = [
  ...Object.entries(objectTables).map(([table, { methods, self }]) => ({ table, methods, self })),
  ...Object.entries(connectionTables).map(([table, methods]) => ({ table, methods, self: undefined })),
]
const rows: Row[] = tables.flatMap(({ methods }) => Object.values(methods) as Row[])
const factName = (row: Row) => (row.program === PROGRAM.qemu ? `qemu:${row.name}` : row.name)

/** The wire form of fields, one after another: a structure is no more than its members. */
function wireOf(fields: Fields): string {
  return Object.values(fields)
    .map((codec: AnyCodec) => flat(codec.shape))
    .join(',')
}

function flat(shape: Shape): string {
  switch (shape.kind) {
    case 'scalar':
      return shape.wire
    case 'list':
      return `(${flat(shape.of)})[]`
    case 'maybe':
      return `(${flat(shape.of)})?`
    case 'struct':
      return wireOf(shape.fields)
    case 'choice':
      return 'i32'
    case 'flags':
      return 'u32'
    case 'object':
      return flat(shape.of)
    case 'parameters':
      return '(param)[]'
  }
}

/** A fact's list of `name:wire` in the same form; signed or not is a matter of what the table reads into it. */
function normal(list: string): string {
  let text = list.replaceAll(/\w+:/g, '').replaceAll(' ', '')
  for (let before = ''; before !== text; ) {
    before = text
    text = text.replaceAll(/\{([^{}]*)\}(\[\]|\?)/g, '($1)$2').replaceAll(/\{([^{}]*)\}(?!\[|\?)/g, '$1')
  }
  return unsigned(
    text.replaceAll(/(?<![)\w])(\w+(?:\[\d+\])?)(\[\]|\?)/g, (whole, word: string, suffix: string) =>
      word === 'char' ? whole : `(${word})${suffix}`,
    ),
  )
}

function unsigned(wire: string): string {
  return wire.replaceAll('i32', 'u32').replaceAll('i64', 'u64').replaceAll('opaque[16]', 'uuid')
}

describe('procedure tables', () => {
  for (const { table, methods, self } of tables)
    for (const [method, row] of Object.entries(methods) as [string, Row][]) {
      test(`${table}.${method} is libvirt's ${row.name}: number, release, stream, arguments, result`, () => {
        const fact = facts.get(factName(row))
        assert.ok(fact, `libvirt has no ${row.name}`)
        assert.equal(row.procedure, fact.number)
        if (fact.since !== undefined) assert.equal(row.since, fact.since)
        assert.match(row.since, /^\d+\.\d+\.\d+$/)
        const args = [self === undefined ? '' : flat(self.shape), wireOf(row.args)]
          .filter((part) => part !== '')
          .join(',')
        assert.equal(unsigned(args), normal(fact.args))
        assert.equal(unsigned(wireOf(row.result)), normal(fact.result))
        const direction = row.kind === 'stream' ? row.direction : undefined
        const both = fact.stream === 'read' && direction === 'both'
        assert.equal(both ? 'read' : direction, fact.stream ?? UNMARKED_STREAMS.get(fact.name))
      })
    }

  test('no argument is called as an option of every call is', () => {
    const taken = rows.filter((row) => ['signal', 'timeoutMs'].some((option) => Object.hasOwn(row.args, option)))
    assert.deepEqual(taken.map(factName), [])
  })

  test('what waits for a guest or a disk is long, and what ends or slows it never is', () => {
    const long = new Set(rows.filter((row) => row.isLong).map(({ name }) => name))
    const waits =
      /^DOMAIN_(MANAGED_SAVE|SAVE_(FLAGS|PARAMS)|RESTORE_\w+|CORE_DUMP_\w+|FS(FREEZE|THAW|TRIM)|AGENT_COMMAND|GET_GUEST_INFO|SNAPSHOT_(CREATE_XML|DELETE)|REVERT_TO_SNAPSHOT|BACKUP_BEGIN|(ATTACH|DETACH)_DEVICE_FLAGS)$/
    const ends =
      /^DOMAIN_(DESTROY\w*|SUSPEND|RESUME|ABORT_JOB\w*|BLOCK_JOB_ABORT|MIGRATE_(GET|SET)_\w+|MIGRATE_START_POST_COPY|GET_(STATE|INFO|JOB_INFO|JOB_STATS|XML_DESC)|LOOKUP\w+)$/
    const steps = /^DOMAIN_MIGRATE_(BEGIN|PREPARE|PERFORM|FINISH|CONFIRM)3_PARAMS$/
    const names = rows.map(({ name }) => name)
    assert.deepEqual(
      names.filter((name) => (waits.test(name) || steps.test(name)) && !long.has(name)),
      [],
    )
    assert.deepEqual(
      names.filter((name) => ends.test(name) && long.has(name)),
      [],
    )
    for (const [pattern, least] of [
      [waits, 17],
      [ends, 20],
      [steps, 5],
    ] as const)
      assert.ok(names.filter((name) => pattern.test(name)).length >= least, String(pattern))
  })

  test('no number is used twice', () => {
    const used = rows.map((row) => `${row.program}:${row.procedure}`)
    assert.equal(new Set(used).size, used.length)
  })

  test('every procedure of libvirt has a row, but for what a younger one replaces and what Node cannot', () => {
    const present = new Set(rows.map(factName))
    const excused = [...SUPERSEDED.keys(), ...OUT_OF_REACH.keys()]
    const missing = [...facts.values()].filter(
      ({ name, isEvent }) => !isEvent && !present.has(name) && !excused.some((pattern) => pattern.test(name)),
    )
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    )
  })
})

describe('event table', () => {
  for (const [name, row] of Object.entries(events)) {
    test(`${name} is an event of libvirt, with its fields`, () => {
      const fact = [...facts.values()].find(
        (one) => one.isEvent && one.number === row.procedure && one.name.startsWith('qemu:') === (row.kind === 'qemu'),
      )
      assert.ok(fact, `libvirt has no event ${row.procedure}`)
      const number = row.kind === 'driver' ? '' : 'u32,'
      assert.equal(`${number}${unsigned(flat(row.codec.shape))}`, normal(fact.result))
    })
  }

  test('message numbers are unique, ids are unique within a kind', () => {
    const all = Object.values(events)
    assert.equal(new Set(all.map((row) => `${row.kind === 'qemu'}:${row.procedure}`)).size, all.length)
    assert.equal(new Set(all.map((row) => `${row.kind}:${row.id}`)).size, all.length)
  })

  test('every event of libvirt has a row, but for the older forms that carry no registration', () => {
    const present = new Set(Object.values(events).map((row) => row.procedure))
    const missing = [...facts.values()].filter(
      ({ isEvent, number, result, name }) =>
        isEvent && !present.has(number) && result.startsWith('callbackID') && !name.startsWith('qemu:'),
    )
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    )
  })
})
