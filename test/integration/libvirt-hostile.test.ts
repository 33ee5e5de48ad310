/**
 * The libvirt client against daemons that break the protocol, answer nothing, or leave in the middle: a clear error,
 * bounded memory, never a hang or a crash. Floods of events and streams are in libvirt-flood.test.ts.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect, ConnectionClosed, LibvirtError, type LibvirtErrorName } from '../../src/libvirt/index.ts'
import { type Packet, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import { errorPayload, framed } from '../support/fake-libvirt.ts'
import { HostileDaemon, type Link, words } from '../support/hostile-daemon.ts'
import { heldMib, watchMemory } from '../support/memory.ts'
import { runMutatedReplies } from '../support/mutated-replies.ts'

const AUTH_LIST = 66
const AUTH_POLKIT = 70
const CONNECT_OPEN = 1
const GET_HOSTNAME = 59
const GET_ALL_DOMAIN_STATS = 344
const LIST_ALL_DOMAINS = 273
const SEED = Number(process.env['VMPKG_TEST_SEED'] ?? 20_260_801)
const CASES = 12_000

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown): error is LibvirtError =>
    error instanceof LibvirtError && error.is(...names)
const isCall = (packet: Packet, procedure: number) => packet.type === TYPE.call && packet.procedure === procedure

/** A connection to a daemon that does as planned with calls of one procedure. */
async function openTo(procedure: number, act: (call: Packet, link: Link) => void) {
  const daemon = await HostileDaemon.start((packet, link) => {
    if (!isCall(packet, procedure)) return false
    act(packet, link)
    return true
  })
  const connect = await Connect.open(daemon.uri)
  return {
    daemon,
    connect,
    async [Symbol.asyncDispose]() {
      daemon.plan = () => false
      await connect.close()
      await daemon[Symbol.asyncDispose]()
    },
  }
}

describe('a hostile libvirt daemon', { timeout: 60_000 }, () => {
  const stray: unknown[] = []
  const note = (reason: unknown) => stray.push(reason)
  before(() => process.on('unhandledRejection', note).on('uncaughtException', note))
  after(() => {
    process.off('unhandledRejection', note).off('uncaughtException', note)
    assert.deepEqual(stray, [])
  })

  test(`settles every call of ${CASES} mutated batches of replies, keeps no memory, leaves nothing open`, async (t) => {
    const open = openHandles()
    await runMutatedReplies({ seed: SEED, from: 0, cases: 1000 })
    const heldBefore = heldMib()
    const { calls, reopened, seconds, peakMib, outcomes } = await runMutatedReplies({
      seed: SEED,
      from: 1000,
      cases: CASES - 1000,
    })
    const kept = heldMib() - heldBefore
    t.diagnostic(`seed ${SEED}: ${calls} calls, ${reopened} reopened, ${seconds.toFixed(1)} s, peak ${peakMib} MiB`)
    t.diagnostic(`kept ${kept.toFixed(1)} MiB; ${JSON.stringify(outcomes)}`)
    assert.ok(kept < 16, `${kept} MiB kept`)
    const all = Object.values(outcomes)
    for (const outcome of ['value', 'refused', 'silence', 'closed'] as const)
      assert.ok(
        all.some((row) => row[outcome] > 0),
        `no ${outcome}`,
      )
    const honest = outcomes['none'] ?? { value: 0, refused: 0, silence: 0, closed: 0 }
    assert.equal(honest.refused, 0)
    // Some end with what came behind the answers of the case before.
    assert.ok(honest.value > 0.9 * (honest.value + honest.silence + honest.closed))
    assert.deepEqual(openHandles(), open)
  })

  test('ends a call that gets no answer with its time, names the call, and drops the late answer', async () => {
    const late: (() => void)[] = []
    await using hostile = await openTo(GET_HOSTNAME, (call, link) => {
      late.push(() => link.reply(call, textBytes('too late')))
    })
    await assert.rejects(
      hostile.connect.getHostname({ timeoutMs: 20 }),
      (error) =>
        fails('operationTimeout')(error) && /no answer to CONNECT_GET_HOSTNAME within 20 ms/.test(error.message),
    )
    for (const answer of late) answer()
    assert.equal(typeof (await hostile.connect.isSecure()), 'boolean')
  })

  test('ends a call whose answer stops in the middle of a frame, and goes on when the rest comes', async () => {
    const rest: (() => void)[] = []
    await using hostile = await openTo(GET_HOSTNAME, (call, link) => {
      const whole = framed({ ...call, type: TYPE.reply }, textBytes('in two parts'))
      link.raw(whole.subarray(0, 35))
      rest.push(() => link.raw(whole.subarray(35)))
    })
    await assert.rejects(hostile.connect.getHostname({ timeoutMs: 20 }), fails('operationTimeout'))
    for (const go of rest) go()
    assert.equal(typeof (await hostile.connect.isSecure()), 'boolean')
  })

  test('rejects every call under way, with one reason, when the daemon closes its side', async () => {
    await using hostile = await openTo(GET_HOSTNAME, (_, link) => link.socket.end())
    const calls = Array.from({ length: 20 }, () => hostile.connect.getHostname())
    const reasons = await Promise.all(calls.map((call) => call.catch((reason: unknown) => reason)))
    assert.equal(new Set(reasons).size, 1)
    assert.ok(reasons[0] instanceof ConnectionClosed)
    assert.equal(hostile.connect.closed, reasons[0])
  })

  test('settles calls and closes also when the daemon reads nothing any more', async () => {
    await using hostile = await openTo(GET_HOSTNAME, (_, link) => link.socket.pause())
    const stuck = hostile.connect.getHostname({ timeoutMs: 50 })
    const xml = `<domain>${' '.repeat(1_000_000)}</domain>`
    const large = Array.from({ length: 20 }, () => hostile.connect.domainDefineXML({ xml, timeoutMs: 100 }))
    for (const call of [stuck, ...large]) await assert.rejects(call, fails('operationTimeout'))
    await hostile.connect.close()
    assert.ok(hostile.connect.closed instanceof ConnectionClosed)
  })

  test('opens in a bounded time, or fails saying which step had no answer', async () => {
    for (const [procedure, name] of [
      [AUTH_LIST, 'AUTH_LIST'],
      [CONNECT_OPEN, 'CONNECT_OPEN'],
    ] as const) {
      await using daemon = await HostileDaemon.start((packet) => isCall(packet, procedure))
      await assert.rejects(
        Connect.open(daemon.uri, { timeoutMs: 20 }),
        (error) => fails('operationTimeout')(error) && error.message.includes(name),
      )
    }
  })

  test('lets a signal end the question of polkit, which has no time limit since it asks a person', async () => {
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (isCall(packet, AUTH_LIST)) link.reply(packet, words(1, 2))
      return isCall(packet, AUTH_LIST) || isCall(packet, AUTH_POLKIT)
    })
    await assert.rejects(Connect.open(daemon.uri, { signal: AbortSignal.timeout(30) }), /TimeoutError/)
  })

  test('says which authentication is demanded when it speaks none of them', async () => {
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (isCall(packet, AUTH_LIST)) link.reply(packet, words(2, 99, 0xffff_ffff))
      return isCall(packet, AUTH_LIST)
    })
    await assert.rejects(
      Connect.open(daemon.uri),
      (error) => fails('authUnavailable')(error) && error.message.includes('99'),
    )
  })

  test('hands on why opening is refused', async () => {
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (isCall(packet, CONNECT_OPEN))
        link.packet({ ...packet, type: TYPE.reply, status: STATUS.error }, errorPayload(5, 'no driver for you'))
      return isCall(packet, CONNECT_OPEN)
    })
    await assert.rejects(
      Connect.open(daemon.uri),
      (error) => fails('noConnect')(error) && error.message.includes('no driver for you'),
    )
  })

  test('fails with ConnectionClosed wherever in the opening the daemon leaves, byte by byte', async () => {
    await using daemon = await HostileDaemon.start()
    let refused = 0
    for (let bytes = 0; ; bytes++) {
      daemon.onLink = (link) => link.allow(bytes)
      const connect = await Connect.open(daemon.uri).catch((error: unknown) => {
        assert.ok(error instanceof ConnectionClosed, `after ${bytes} bytes: ${String(error)}`)
      })
      if (connect !== undefined) {
        daemon.onLink = () => {}
        await assert.rejects(connect.getHostname(), ConnectionClosed)
        break
      }
      refused++
    }
    assert.ok(refused >= 2 * 28, `${refused} bytes make up an opening`)
  })

  test('allocates nothing for lists and texts that are announced and do not come', async () => {
    const announced = [
      words(0x4000_0000),
      words(0xffff_ffff),
      words(1, 0xffff_fffc),
      words(2, 4_194_305),
      words(0x0010_0000, 1, 2, 3),
    ]
    for (const payload of announced)
      for (const procedure of [LIST_ALL_DOMAINS, GET_ALL_DOMAIN_STATS]) {
        await using hostile = await openTo(procedure, (call, link) => link.reply(call, payload))
        const grown = watchMemory()
        const call =
          procedure === LIST_ALL_DOMAINS ? hostile.connect.listAllDomains() : hostile.connect.getAllDomainStats()
        await assert.rejects(
          call,
          (error) => error instanceof ConnectionClosed && /malformed packet/.test(error.message),
        )
        assert.ok(grown() < 16)
      }
  })

  test('takes a text of 4 MiB, and drops the connection for one byte more', async () => {
    let length = 4_194_304
    await using hostile = await openTo(GET_HOSTNAME, (call, link) => {
      link.reply(call, Buffer.concat([words(length), Buffer.alloc(length + ((4 - (length % 4)) % 4), 'x')]))
    })
    assert.equal((await hostile.connect.getHostname()).length, length)
    length++
    await assert.rejects(hostile.connect.getHostname(), /announces 4194305 bytes of text/)
  })

  test('holds a few hundred MiB for a frame of 1.5 million parameters, and lets go of it', async (t) => {
    // The smallest parameters that have names of their own take 16 bytes each.
    const count = 1_500_000
    const payload = Buffer.alloc(36 + count * 16)
    words(1, 0, 0, 0, 0, 0, 0, count).copy(payload, 0)
    for (let i = 0; i < count; i++) {
      const at = 32 + i * 16
      payload.writeUInt32BE(4, at)
      payload.write(i.toString(36).padStart(4, '0'), at + 4, 'latin1')
      payload.writeUInt32BE(1, at + 8)
      payload.writeUInt32BE(i, at + 12)
    }
    await using hostile = await openTo(GET_ALL_DOMAIN_STATS, (call, link) => link.reply(call, payload.subarray(0, -4)))
    const heldBefore = heldMib()
    const grown = watchMemory()
    const started = performance.now()
    const [stats] = await hostile.connect.getAllDomainStats()
    t.diagnostic(`${((performance.now() - started) / 1000).toFixed(1)} s, ${grown().toFixed(0)} MiB at most`)
    assert.equal(Object.keys(stats?.params ?? {}).length, count)
    assert.ok(grown() < 1200, `${grown()} MiB`)
    assert.equal(typeof (await hostile.connect.isSecure()), 'boolean')
    assert.ok(heldMib() - heldBefore < 400)
  })

  test('reads a frame that comes byte by byte', async () => {
    const text = 'x'.repeat(20_000)
    await using hostile = await openTo(GET_HOSTNAME, (call, link) => {
      link.socket.setNoDelay(true)
      const whole = framed({ ...call, type: TYPE.reply }, textBytes(text))
      let sent = 0
      const next = () => {
        if (sent < whole.length) link.socket.write(whole.subarray(sent, ++sent), () => setImmediate(next))
      }
      next()
    })
    assert.equal(await hostile.connect.getHostname(), text)
  })

  test('takes hostile names of parameters as names, and nothing else changes by them', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'then', '', 'a\u001b[2J', '__proto__', 'ütf']
    const writer = new Writer()
    writer.u32(1)
    for (const identity of [textBytes(''), Buffer.alloc(16), words(-1)]) writer.opaque(identity)
    writer.u32(names.length)
    for (const [i, name] of names.entries()) {
      writer.opaque(textBytes(name))
      writer.u32(7)
      writer.opaque(textBytes(`value ${i}`))
    }
    const payload = Buffer.from(writer.bytes())
    await using hostile = await openTo(GET_ALL_DOMAIN_STATS, (call, link) => link.reply(call, payload))
    const [stats] = await hostile.connect.getAllDomainStats()
    const params = stats?.params ?? {}
    assert.deepEqual(Object.keys(params).toSorted(), [...new Set(names)].toSorted())
    assert.equal(Object.getOwnPropertyDescriptor(params, '__proto__')?.value, 'value 6')
    assert.equal(Object.getPrototypeOf(params), null)
    assert.equal(({} as Readonly<Record<string, unknown>>)['value 0'], undefined)
    // Not taken for a promise because of its `then`.
    assert.equal(await Promise.resolve(params), params)
  })

  test('hands on an error whose every field is hostile', async () => {
    const message = `\u0000\u001b[31m${'x'.repeat(4_000_000)}`
    const writer = new Writer()
    writer.i32(-0x8000_0000)
    writer.i32(0x7fff_ffff)
    writer.opaque(Buffer.concat([words(1), textBytes(message)]))
    writer.i32(-1)
    writer.opaque(Buffer.concat([words(1), textBytes('__proto__'), Buffer.alloc(16, 0xff), words(-1)]))
    for (const text of ['%s%n', '\uFFFF', '']) writer.opaque(Buffer.concat([words(1), textBytes(text)]))
    writer.opaque(words(-1, -1, 1))
    writer.opaque(Buffer.concat([textBytes('net'), Buffer.alloc(16)]))
    const payload = Buffer.from(writer.bytes())
    await using hostile = await openTo(GET_HOSTNAME, (call, link) =>
      link.packet({ ...call, type: TYPE.reply, status: STATUS.error }, payload),
    )
    const error = await hostile.connect.getHostname().catch((reason: unknown) => reason)
    assert.ok(error instanceof LibvirtError)
    assert.equal(error.message, message)
    assert.deepEqual(
      [error.codeName, error.domainName, error.levelName, error.texts, error.procedure, error.local],
      [
        'unknown(-2147483648)',
        'unknown(2147483647)',
        'unknown(-1)',
        ['%s%n', '\uFFFF', ''],
        'CONNECT_GET_HOSTNAME',
        false,
      ],
    )
  })

  for (const [what, act] of Object.entries({
    'answers a call twice': (call: Packet, link: Link) => {
      link.reply(call, textBytes('once'))
      link.reply(call, textBytes('twice'))
    },
    'answers a call that nobody made': (call: Packet, link: Link) =>
      link.packet({ ...call, type: TYPE.reply, serial: call.serial + 1000 }, textBytes('no')),
    'answers with descriptors, which nobody asked for': (call: Packet, link: Link) =>
      link.packet({ ...call, type: 5 }, words(0)),
    'calls its client': (call: Packet, link: Link) => link.packet({ ...call, type: TYPE.call }),
    'speaks another version': (call: Packet, link: Link) => {
      const bytes = framed({ ...call, type: TYPE.reply }, textBytes('no'))
      bytes.writeUInt32BE(2, 8)
      link.raw(bytes)
    },
    'speaks another program': (call: Packet, link: Link) => link.packet({ ...call, program: 0x2000_8088 }),
    'sends data of a stream that was never opened': (call: Packet, link: Link) =>
      link.packet({ ...call, type: TYPE.stream, serial: call.serial + 1000, status: STATUS.continue }, words(1)),
    'sends an event without its registration': (call: Packet, link: Link) =>
      link.packet({ ...call, procedure: 318, type: TYPE.message, serial: 0 }),
    'announces a frame of 4 GiB': (_: Packet, link: Link) => link.raw(words(0xffff_ffff, 0, 0, 0, 0, 0, 0)),
    'announces a frame shorter than its header': (_: Packet, link: Link) => link.raw(words(27, 0, 0, 0, 0, 0, 0)),
    'talks HTTP': (_: Packet, link: Link) => link.raw(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  }))
    test(`drops a daemon that ${what}, and says why`, async () => {
      await using hostile = await openTo(GET_HOSTNAME, act)
      const call = hostile.connect.getHostname()
      await call.catch(() => {})
      await assert.rejects(
        hostile.connect.getUri(),
        (error) => error instanceof ConnectionClosed && /dropped: malformed packet: .+/.test(error.message),
      )
      assert.ok(hostile.connect.closed instanceof ConnectionClosed)
    })
})

/** What keeps this process alive: sockets, servers, timers. */
function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /Pipe|TCP|Timeout|Immediate/.test(name))
}

function textBytes(text: string): Buffer {
  const encoded = Buffer.from(text)
  return Buffer.concat([words(encoded.length), encoded, Buffer.alloc((4 - (encoded.length % 4)) % 4)])
}
