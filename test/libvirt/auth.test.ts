import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { type AuthOptions, authenticate, authMethods } from '../../src/libvirt/auth.ts'
import { readFields } from '../../src/libvirt/codecs.ts'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { Rpc } from '../../src/libvirt/rpc.ts'
import type { Target } from '../../src/libvirt/uri.ts'
import { Reader, Writer } from '../../src/libvirt/xdr.ts'
import { FakeDaemon } from '../support/fake-libvirt.ts'

const [LIST, INIT, START, STEP, POLKIT] = [66, 67, 68, 69, 70]
const around: Surroundings = { env: {}, uid: 1000, home: '/home/u', exists: () => false, read: () => undefined }

function words(...values: number[]): Buffer {
  const writer = new Writer()
  for (const value of values) writer.u32(value)
  return writer.bytes()
}

/** A daemon that offers these methods; polkit refuses with a code or agrees. */
function offering(types: readonly number[], polkitCode?: number): FakeDaemon {
  return new FakeDaemon((call, daemon) => {
    if (call.procedure === LIST) daemon.reply(call, words(types.length, ...types))
    else if (call.procedure !== POLKIT) daemon.refuse(call, 39, 'authentication required')
    else if (polkitCode === undefined) daemon.reply(call, words(1))
    else daemon.refuse(call, polkitCode, 'authentication failed')
  })
}

/** A daemon that offers SASL and gives these answers; what it was told is in `told`. */
function sasl(mechanisms: string, answers: readonly { complete: boolean; data?: string }[]) {
  const told: { mech?: string; nil: boolean; data: string }[] = []
  const daemon = new FakeDaemon((call, self) => {
    const writer = new Writer()
    if (call.procedure === LIST) writer.opaque(words(1, 1))
    else if (call.procedure === INIT) authMethods.saslInit.result.mechlist.write(writer, mechanisms)
    else {
      const row = call.procedure === START ? authMethods.saslStart : authMethods.saslStep
      const { data, ...rest } = readFields(new Reader(call.payload), row.args)
      told.push({ ...rest, data: data.toString() })
      const { complete, data: answer } = answers[told.length - 1] ?? { complete: true }
      writer.opaque(words(complete ? 1 : 0, answer === undefined ? 1 : 0))
      row.result.data.write(writer, Buffer.from(answer ?? ''))
    }
    self.reply(call, writer.bytes())
  })
  return { daemon, told }
}

const unix = {
  transport: 'unix',
  isSecure: true,
  isVerified: true,
  host: 'localhost',
  auth: undefined,
  authFile: undefined,
} as const
const run = (daemon: FakeDaemon, options: AuthOptions = {}, target: Partial<Target> = {}) =>
  authenticate(new Rpc(daemon.client), { ...unix, ...target }, options, around)
const fails =
  (name: LibvirtErrorName, local: boolean, pattern = /./) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(name) && error.local === local && pattern.test(error.message)
const fred = { username: 'fred', password: 'hunter2' }

describe('authenticate', () => {
  test('does nothing more where nothing is asked', async () => {
    const daemon = offering([0])
    await run(daemon)
    assert.deepEqual(
      daemon.received.map((packet) => packet.procedure),
      [LIST],
    )
  })

  test('lets polkit decide', async () => {
    const daemon = offering([2])
    await run(daemon)
    assert.deepEqual(
      daemon.received.map((packet) => packet.procedure),
      [LIST, POLKIT],
    )
  })

  test('hands on why polkit refused, and what helps where it has nobody to ask', async () => {
    await assert.rejects(
      run(offering([2], 94)),
      fails('authUnavailable', false, /^authentication failed; run as .*group libvirt.*agent/),
    )
    await assert.rejects(run(offering([2], 45)), fails('authFailed', false, /^authentication failed$/))
  })

  test('says which method it does not speak', async () => {
    await assert.rejects(run(offering([9])), fails('authUnavailable', true, /unknown method 9/))
  })

  test('takes only the method that the URI names', async () => {
    await assert.rejects(run(offering([2]), {}, { auth: 'sasl' }), fails('authFailed', true, /sasl/))
    await assert.rejects(run(offering([0]), {}, { auth: 'polkit' }), fails('authFailed', true, /polkit/))
    await run(offering([1, 2]), {}, { auth: 'polkit' })
  })

  test('sends a password as it is where nothing better is offered', async () => {
    const { daemon, told } = sasl('LOGIN,PLAIN', [{ complete: true }])
    await run(daemon, { credentials: fred })
    assert.deepEqual(told, [{ mech: 'PLAIN', nil: false, data: '\0fred\0hunter2' }])
  })

  test('asks the program for what the mechanism needs', async () => {
    const requests: unknown[] = []
    const { signal } = new AbortController()
    const credentials = async (request: unknown) => {
      requests.push(request)
      return fred
    }
    await run(sasl('PLAIN', [{ complete: true }]).daemon, { credentials, signal }, { host: 'far' })
    assert.deepEqual(requests, [{ mechanism: 'PLAIN', host: 'far', wanted: ['username', 'password'], signal }])
  })

  test('asks once for all connections of a target, and again after a refusal', async () => {
    let asked = 0
    const credentials = () => {
      asked++
      return fred
    }
    const target = { ...unix }
    const attempt = (complete: boolean) =>
      authenticate(new Rpc(sasl('PLAIN', [{ complete }]).daemon.client), target, { credentials }, around)
    await attempt(true)
    await attempt(true)
    assert.equal(asked, 1)
    await assert.rejects(attempt(false), fails('authFailed', true))
    await attempt(true)
    assert.equal(asked, 2)
  })

  test('needs no credentials for EXTERNAL over TLS and for ANONYMOUS by name', async () => {
    const external = sasl('EXTERNAL,PLAIN', [{ complete: true }])
    await run(external.daemon, {}, { transport: 'tls' })
    assert.deepEqual(external.told, [{ mech: 'EXTERNAL', nil: false, data: '' }])
    const anonymous = sasl('ANONYMOUS', [{ complete: true }])
    await run(anonymous.daemon, {}, { auth: 'sasl.anonymous' })
    assert.deepEqual(anonymous.told, [{ mech: 'ANONYMOUS', nil: false, data: 'anonymous' }])
    await assert.rejects(run(sasl('ANONYMOUS', []).daemon), fails('authUnavailable', true, /ANONYMOUS/))
  })

  test('refuses a server that forges its signature, or ends without one', async () => {
    const forging = new FakeDaemon((call, self) => {
      const writer = new Writer()
      if (call.procedure === LIST) writer.opaque(words(1, 1))
      else if (call.procedure === INIT) authMethods.saslInit.result.mechlist.write(writer, 'SCRAM-SHA-256')
      else {
        const isStart = call.procedure === START
        const { data } = readFields(
          new Reader(call.payload),
          isStart ? authMethods.saslStart.args : authMethods.saslStep.args,
        )
        const nonce = /r=([^,]+)/.exec(data.toString())?.[1]
        const forged = `v=${Buffer.alloc(32, 7).toString('base64')}`
        writer.opaque(words(isStart ? 0 : 1, 0))
        authMethods.saslStep.result.data.write(writer, Buffer.from(isStart ? `r=${nonce}x,s=c2FsdA==,i=4096` : forged))
      }
      self.reply(call, writer.bytes())
    })
    await assert.rejects(run(forging, { credentials: fred }), fails('authFailed', true, /did not prove/))
    assert.deepEqual(
      forging.received.map(({ procedure }) => procedure),
      [LIST, INIT, START, STEP],
    )
    const early = sasl('SCRAM-SHA-1', [{ complete: true }])
    await assert.rejects(run(early.daemon, { credentials: fred }), fails('authFailed', true, /before it proved itself/))
  })

  test('never has a secret in an error', async () => {
    const wrong = new FakeDaemon((call, self) => {
      if (call.procedure === LIST) self.reply(call, words(1, 1))
      else if (call.procedure === INIT) {
        const writer = new Writer()
        authMethods.saslInit.result.mechlist.write(writer, 'PLAIN')
        self.reply(call, writer.bytes())
      } else self.refuse(call, 45, 'authentication failed')
    })
    const rejections = [
      run(wrong, { credentials: fred }),
      run(sasl('PLAIN', [{ complete: false }]).daemon, { credentials: fred }),
      run(sasl('SCRAM-SHA-256', [{ complete: false, data: 'nonsense' }]).daemon, { credentials: fred }),
      run(sasl('SCRAM-SHA-256', []).daemon, { credentials: { username: 'fred', password: 'hunter2\u0007' } }),
      run(sasl('PLAIN', []).daemon, { credentials: { username: 'fred', password: 'hunter2\0' } }),
    ]
    for (const rejection of rejections) {
      const error: unknown = await rejection.then(
        () => assert.fail('it was accepted'),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof LibvirtError)
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /hunter2/)
    }
  })
})
