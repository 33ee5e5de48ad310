/** What the compiler refuses: each `@ts-expect-error` is a test, since an error that does not come is one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connect } from '../../src/libvirt/connect.ts'
import { nodeMethods } from '../../src/libvirt/connect-node.ts'
import type { Domain } from '../../src/libvirt/domain.ts'
import { domainMethods } from '../../src/libvirt/domain.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { call, encodeArguments, type Invoker, invoker, type Methods, type Row } from '../../src/libvirt/methods.ts'
import { domain } from '../../src/libvirt/references.ts'
import type { LibvirtStream } from '../../src/libvirt/stream.ts'
import { none } from '../../src/libvirt/vocabulary.ts'

const value = { name: 'a', uuid: '00010203-0405-0607-0809-0a0b0c0d0e0f', id: -1 }

const traitsOnly = { wait: call('WAIT', 1, '0.0.3', { flags: none }, undefined, { isLong: true }) }

type Same<A, B> = [A, B] extends [B, A] ? true : false

/** Never called: only compiled. */
export async function compiled(connect: Connect, guest: Domain): Promise<void> {
  // @ts-expect-error no such flag
  await guest.create({ flags: ['pause'] })
  // @ts-expect-error a required argument is missing
  await connect.domainLookupByName()
  // @ts-expect-error no such argument
  await connect.domainDefineXML({ xml: '<domain/>', flag: ['validate'] })
  // @ts-expect-error 64-bit numbers are bigint
  await guest.setMemory({ memory: 1024 })
  // @ts-expect-error no such source
  await guest.interfaceAddresses({ source: 'dhcp' })
  // @ts-expect-error no such event
  connect.events('domain.life')
  // @ts-expect-error an event of networks is not narrowed to a domain
  connect.events('network.lifecycle', { object: guest })
}

describe('methods', () => {
  test('have the types of their rows', () => {
    const same: [
      Same<Awaited<ReturnType<Domain['destroy']>>, undefined>,
      Same<Awaited<ReturnType<Domain['getXMLDesc']>>, string>,
      Same<Awaited<ReturnType<Domain['create']>>, Domain>,
      Same<Awaited<ReturnType<Domain['openConsole']>>, LibvirtStream>,
      Same<Awaited<ReturnType<Connect['listAllDomains']>>, Domain[]>,
      Same<keyof Awaited<ReturnType<Domain['getState']>>, 'state' | 'reason'>,
      Same<Awaited<ReturnType<Methods<typeof traitsOnly>['wait']>>, undefined>,
    ] = [true, true, true, true, true, true, true]
    assert.ok(same.every((one) => one))
  })

  test('write the object itself first', () => {
    const bytes = encodeArguments(domainMethods.create, { flags: ['paused'] }, { codec: domain, value })
    assert.equal(bytes.toString('hex'), '0000000161000000000102030405060708090a0b0c0d0e0fffffffff00000001')
  })

  test('ask for the count first where the daemon sends nothing without it', async () => {
    class Recorder extends invoker(nodeMethods) implements Invoker {
      readonly calls: string[] = []
      invoke(row: Row, args: Readonly<Record<string, unknown>>): Promise<unknown> {
        this.calls.push(`${row.name} ${encodeArguments(row, args).toString('hex')}`)
        return Promise.resolve(this.calls.length === 1 ? 4 : { total: 1n })
      }
    }
    const recorder = new Recorder()
    assert.deepEqual(await recorder.nodeGetMemoryStats({ cellNum: 2 }), { total: 1n })
    assert.deepEqual(recorder.calls, [
      'NODE_GET_MEMORY_STATS 000000000000000200000000',
      'NODE_GET_MEMORY_STATS 000000040000000200000000',
    ])
  })

  test('refuse a missing argument of a caller without types', () => {
    assert.throws(
      () => encodeArguments(domainMethods.setAutostart, {}, { codec: domain, value }),
      (error) => error instanceof LibvirtError && error.is('invalidArg') && /autostart/.test(error.message),
    )
  })
})
