/** Looks at routers behind a libvirt of this test: who is opened, in which order, and what is read again before that. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import type { VmpkgEvent } from '../../src/events.ts'
import type { Connect } from '../../src/libvirt/connect.ts'
import { refuse } from '../../src/libvirt/error.ts'
import { type Sha256, sha256 } from '../../src/model/digest.ts'
import { RouterWatch } from '../../src/operations/supervised-routers.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'

const INTERVAL_MS = 30_000
const RULES = sha256('rules')

/** A router as libvirt has it, with an agent that answers at once. */
class FakeRouter {
  readonly name: string
  readonly uuid: string
  readonly #net: string | undefined
  /** What libvirt says that it must attest, and what it does attest. */
  recorded: Sha256 = RULES
  loaded: Sha256 = RULES
  id = 1
  link = 'down'
  state = 'running'
  isReady = true
  isSilent = false
  isPanicked = false
  isBusy = false
  /** With what setting a link fails, with what everything does. */
  broken: 'internalError' | undefined
  isGone = false
  /** Called before each link is set, and after. */
  onLink = (_when: 'before' | 'after', _to: string): void => {}

  constructor(name: string, index: number, net?: string) {
    this.name = name
    this.uuid = `00000000-0000-4000-8000-00000000000${index}`
    this.#net = net
  }

  get mac(): string {
    return `52:54:00:00:00:0${this.uuid.at(-1)}`
  }

  readonly getState = async () => {
    if (this.isGone) throw refuse('noDomain', 'no domain')
    return { state: this.state, reason: 1 }
  }
  readonly isActive = async () => this.state !== 'shutoff'

  readonly getXMLDesc = async () => {
    const facts = formatDomainFacts({
      package: this.name,
      version: '1.0-1',
      digest: sha256(this.name),
      origin: 'test',
      createdAt: '2026-01-01T00:00:00Z',
      kind: 'router',
      instance: `${this.name}0`,
      ephemeral: false,
      ...(String(this.recorded) === 'none' ? {} : { rules: this.recorded }),
      lanMac: this.mac,
      ...(this.#net === undefined ? {} : { net: this.#net }),
      parameters: {},
    })
    const panic = this.isPanicked ? '<p:panic xmlns:p="urn:vmpkg:panic:1" since="2026-01-01T00:00:00Z"/>' : ''
    return `<domain type='qemu' id='${this.id}'><name>${this.name}</name><metadata>${facts}${panic}</metadata><devices>
      <interface type='network'><mac address='${this.mac}'/><link state='${this.link}'/></interface></devices></domain>`
  }

  readonly updateDevice = async ({ xml }: { xml: string }) => {
    if (this.broken !== undefined) throw refuse(this.broken, 'QEMU says nothing')
    const to = /state='(\w+)'/.exec(xml)?.[1] ?? ''
    this.onLink('before', to)
    this.link = to
    this.onLink('after', to)
  }

  readonly openChannel = async () => {
    if (this.isBusy) throw refuse('operationFailed', 'Active channel stream exists')
    const channel = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, done) => {
        const [verb, nonce] = chunk.toString().trim().split(' ')
        const rules = { sha256: this.loaded, matches: true }
        const reply = { vmpkg: 1, nonce, verb, ok: true, ready: this.isReady, rules }
        if (this.isSilent) channel.push(null)
        else channel.push(`${JSON.stringify(reply)}\n`)
        done()
      },
    })
    return channel
  }
}

/** The clock goes on only as the test says. */
function makeLab(...routers: readonly FakeRouter[]) {
  const told: string[] = []
  const lab = { now: 1_000_000, isLocked: false, locks: 0, isHostOpen: false, told }
  const emit = (event: VmpkgEvent): void => {
    if (event.type === 'link-changed') told.push(`${event.subject} ${event.link}`)
    if (event.type === 'warned') told.push(event.message)
  }
  const workspace = {
    outside: {
      clock: { now: () => new Date(lab.now) },
      randomness: { bytes: (count: number) => randomBytes(count) },
      signal: new AbortController().signal,
      emit,
    },
    paths: { lock: '/nowhere/lock' },
    tryLock: async () => {
      if (!lab.isLocked) lab.locks += 1
      return !lab.isLocked
    },
    unlock: async () => void (lab.locks -= 1),
  } as unknown as Workspace
  const connect = {
    listAllDomains: async () => routers,
    listAllNetworks: async () => {
      if (lab.isHostOpen) throw refuse('internalError', 'the host is not silent')
      return []
    },
    domainLookupByUuid: async ({ uuid }: { uuid: string }) => {
      const found = routers.find((one) => one.uuid === uuid)
      if (found === undefined) throw refuse('noDomain', 'no domain')
      return found
    },
  } as unknown as Connect
  const watch = new RouterWatch(workspace, INTERVAL_MS)
  const look = async (): Promise<number> => {
    const nextMs = await watch.look(connect)
    assert.equal(lab.locks, 0)
    lab.now += nextMs
    return nextMs
  }
  return { lab, watch, look, told }
}

describe('a look at routers', () => {
  test('opens an upper router before the one behind it, in one look, whatever their names', async () => {
    const [deep, low, top] = [
      new FakeRouter('a', 1, 'b0'),
      new FakeRouter('b', 2, 'c0'),
      new FakeRouter('c', 3),
    ] as const
    const { look, told } = makeLab(deep, low, top)
    await look()
    assert.deepEqual(told, ['c up', 'b up', 'a up'])
  })

  test('leaves a lower router closed while the upper one does not attest', async () => {
    const [low, top] = [new FakeRouter('low', 1, 'top0'), new FakeRouter('top', 2)]
    top.loaded = sha256('others')
    const { look, told, watch } = makeLab(low, top)
    await look()
    assert.deepEqual(told, [])
    top.loaded = RULES
    for (let looks = 0; looks < 5; looks++) await look()
    assert.deepEqual(told, ['top up', 'low up'])
    assert.deepEqual(Object.keys(watch.closed), [])
  })

  test('closes one that attests other rules, with the reason, and opens it when it attests again', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, told, watch, lab } = makeLab(router)
    await look()
    router.loaded = sha256('others')
    await look()
    assert.deepEqual([told, router.link], [['uni up', 'uni down'], 'down'])
    assert.match(watch.closed[router.uuid]?.reason ?? '', /it loaded other rules than the ones rendered for it/)
    assert.equal(watch.closed[router.uuid]?.since, new Date(lab.now - INTERVAL_MS).toISOString())
    router.loaded = RULES
    await look()
    assert.equal(router.link, 'up')
  })

  test('closes without the lock, and opens only with it', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, told, lab } = makeLab(router)
    lab.isLocked = true
    assert.ok((await look()) <= 2000)
    assert.equal(router.link, 'down')
    router.link = 'up'
    router.loaded = sha256('others')
    await look()
    assert.deepEqual([told, router.link], [['uni down'], 'down'])
    router.loaded = RULES
    for (let looks = 0; looks < 20; looks++) await look()
    assert.equal(router.link, 'down')
    lab.isLocked = false
    await look()
    assert.equal(router.link, 'up')
  })

  for (const [what, change] of [
    ['was started again', (router: FakeRouter) => void (router.id = 2)],
    ['has to attest other rules', (router: FakeRouter) => void (router.recorded = sha256('later'))],
    ['was paused', (router: FakeRouter) => void (router.state = 'paused')],
    ['was cut off', (router: FakeRouter) => void (router.isPanicked = true)],
  ] as const) {
    test(`is not opened for an attestation after which it ${what}`, async () => {
      const router = new FakeRouter('uni', 1)
      const { look, lab } = makeLab(router)
      const { isLocked } = lab
      Object.defineProperty(lab, 'isLocked', {
        get: () => {
          change(router) // between the answer and the lock
          return isLocked
        },
      })
      await look()
      assert.equal(router.link, 'down')
    })
  }

  test('takes the link back when the panic came while it was set', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, told } = makeLab(router)
    router.onLink = (when, to) => {
      if (when === 'before' && to === 'up') router.isPanicked = true
    }
    await look()
    assert.deepEqual([router.link, told], ['down', []])
    router.onLink = () => {}
    for (let looks = 0; looks < 5; looks++) await look()
    assert.equal(router.link, 'down')
  })

  test('does not look at what is not running, and forgets what it knew of it', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch } = makeLab(router)
    await look()
    assert.equal(watch.isOpen(router.uuid), true)
    router.state = 'shutoff'
    await look()
    assert.deepEqual([watch.isOpen(router.uuid), watch.reports], [false, []])
    Object.assign(router, { state: 'running', id: 2, link: 'up', isSilent: true })
    await look()
    assert.equal(router.link, 'down')
  })

  test('a silent router is closed at the third look with the reason', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch, told } = makeLab(router)
    await look()
    router.isSilent = true
    for (let looks = 0; looks < 2; looks++) await look()
    assert.equal(router.link, 'up')
    await look()
    assert.deepEqual([router.link, told], ['down', ['uni up', 'uni down']])
    assert.equal(watch.closed[router.uuid]?.reason, 'its agent does not answer')
  })

  test('does not open what is not ready, nor what does not say which rules it is to have', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch } = makeLab(router)
    router.isReady = false
    await look()
    assert.deepEqual([router.link, watch.isOpen(router.uuid)], ['down', false])
    Object.assign(router, { isReady: true, recorded: 'none' })
    await look()
    assert.equal(router.link, 'down')
    assert.match(watch.reports[0]?.reason ?? '', /does not say which rules it must attest/)
  })

  test('a router above that was closed between the look and the lock keeps the lower one closed', async () => {
    const [low, top] = [new FakeRouter('low', 1, 'top0'), new FakeRouter('top', 2)]
    const { look, lab, watch } = makeLab(low, top)
    Object.defineProperty(lab, 'isLocked', {
      get: () => {
        if (top.link === 'up') top.link = 'down'
        return false
      },
    })
    await look()
    assert.equal(low.link, 'down')
    assert.equal(watch.closed[low.uuid]?.reason, 'the router above was closed meanwhile')
    const paused = [new FakeRouter('low', 1, 'top0'), new FakeRouter('top', 2)] as const
    const other = makeLab(...paused)
    paused[1].onLink = () => void (paused[1].state = 'paused')
    await other.look()
    assert.deepEqual([paused[0].link, paused[1].link], ['down', 'up'])
  })

  test('routers that stand behind each other are looked at, and neither is opened', async () => {
    const [one, two] = [new FakeRouter('one', 1, 'two0'), new FakeRouter('two', 2, 'one0')]
    const { look, told } = makeLab(one, two)
    await look()
    await look()
    assert.deepEqual(told, [])
  })

  test('what cannot be closed is told, and tried again at the next look', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, told } = makeLab(router)
    Object.assign(router, { link: 'up', loaded: sha256('others'), broken: 'internalError' })
    assert.ok((await look()) <= 2000)
    assert.deepEqual(told, ['The LAN of uni could not be closed: QEMU says nothing'])
    router.broken = undefined
    await look()
    assert.equal(router.link, 'down')
  })

  test('what cannot be opened stays closed, with the reason', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch } = makeLab(router)
    router.broken = 'internalError'
    assert.ok((await look()) <= 2000)
    assert.equal(watch.closed[router.uuid]?.reason, 'QEMU says nothing')
  })

  test('opens nothing while the rules of the host do not stand', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch, lab } = makeLab(router)
    lab.isHostOpen = true
    await look()
    assert.deepEqual([router.link, watch.closed[router.uuid]?.reason], ['down', 'the host is not silent'])
    lab.isHostOpen = false
    await look()
    assert.equal(router.link, 'up')
  })

  test('somebody who keeps the channel is silence', async () => {
    const router = new FakeRouter('uni', 1)
    const { look, watch } = makeLab(router)
    Object.assign(router, { link: 'up', isBusy: true })
    for (let looks = 0; looks < 3; looks++) await look()
    assert.equal(watch.closed[router.uuid]?.reason, 'somebody else has the channel of its agent')
  })

  test('one that vanishes during a look is no failure', async () => {
    const [one, two] = [new FakeRouter('one', 1), new FakeRouter('two', 2)]
    const { look } = makeLab(one, two)
    one.isGone = true
    await look()
    assert.deepEqual([one.link, two.link], ['down', 'up'])
  })
})
