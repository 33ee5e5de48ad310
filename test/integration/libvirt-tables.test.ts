/** The procedure tables against libvirt's own numbers, kept in test/fixtures/libvirt-procedures.txt. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { authMethods } from '../../src/libvirt/auth.ts'
import { domainCheckpointMethods } from '../../src/libvirt/checkpoint.ts'
import { connectMethods, sessionMethods } from '../../src/libvirt/connect.ts'
import { domainMethods } from '../../src/libvirt/domain.ts'
import { eventRegistration, events } from '../../src/libvirt/events.ts'
import type { Row } from '../../src/libvirt/methods.ts'
import { networkMethods } from '../../src/libvirt/network.ts'
import { nodeDeviceMethods } from '../../src/libvirt/node-device.ts'
import { PROGRAM } from '../../src/libvirt/protocol.ts'
import { secretMethods } from '../../src/libvirt/secret.ts'
import { domainSnapshotMethods } from '../../src/libvirt/snapshot.ts'
import { storagePoolMethods, storageVolMethods } from '../../src/libvirt/storage.ts'

const fixture = new URL('../fixtures/libvirt-procedures.txt', import.meta.url)
const numbers = new Map(
  readFileSync(fixture, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', number = ''] = line.split(' ')
      return [name, Number(number)] as const
    }),
)

const tables = {
  authMethods,
  sessionMethods,
  connectMethods,
  domainMethods,
  domainSnapshotMethods,
  domainCheckpointMethods,
  networkMethods,
  storagePoolMethods,
  storageVolMethods,
  secretMethods,
  nodeDeviceMethods,
  domainEvents: eventRegistration.domain,
  networkEvents: eventRegistration.network,
  poolEvents: eventRegistration.pool,
}
const rows: Row[] = Object.values(tables).flatMap((table) => Object.values(table) as Row[])
/** In the fixture and not in a table: SASL, callbacks of a lost driver, QEMU's raw monitor events. */
const ABSENT = [
  'AUTH_SASL_INIT',
  'AUTH_SASL_START',
  'AUTH_SASL_STEP',
  'CONNECT_REGISTER_CLOSE_CALLBACK',
  'CONNECT_UNREGISTER_CLOSE_CALLBACK',
  'qemu:CONNECT_DOMAIN_MONITOR_EVENT_REGISTER',
  'qemu:CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER',
]

describe('procedure tables', () => {
  for (const row of rows) {
    test(`${row.name} has libvirt's number`, () => {
      const name = row.program === PROGRAM.qemu ? `qemu:${row.name}` : row.name
      assert.equal(row.procedure, numbers.get(name))
    })
  }

  test('no number is used twice', () => {
    const used = rows.map((row) => `${row.program}:${row.procedure}`)
    assert.equal(new Set(used).size, used.length)
  })

  test('every procedure of the list has a row, but for those named here', () => {
    const present = new Set(rows.map((row) => (row.program === PROGRAM.qemu ? `qemu:${row.name}` : row.name)))
    const missing = [...numbers.keys()].filter((name) => !present.has(name))
    assert.deepEqual(missing.toSorted(), ABSENT.toSorted())
  })
})

describe('event table', () => {
  test('message numbers are unique, ids are unique within a kind', () => {
    const all = Object.values(events)
    assert.equal(new Set(all.map((row) => row.procedure)).size, all.length)
    assert.equal(new Set(all.map((row) => `${row.kind}:${row.id}`)).size, all.length)
  })

  test('domain ids run from 0 without a gap', () => {
    const ids = Object.values(events)
      .filter((row) => row.kind === 'domain')
      .map((row) => row.id)
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      Array.from({ length: ids.length }, (_, i) => i),
    )
  })
})
