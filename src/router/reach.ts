/**
 * Who reaches whom, hop by hop: a flow is followed from card to router to the router above, and each says what its rules
 * make of it. Pure; no guest is asked. Routers and machines that do not run are taken as if they did, which is said.
 */
import { VmpkgError } from '../errors.ts'
import { formatAddress, parseSubnet } from '../model/subnet.ts'
import type { EndpointContext } from '../model/template-context.ts'
import { findForwards } from './forward.ts'
import { planPlace } from './plan.ts'
import { findLowers } from './policy.ts'
import { type Flow, isIn, judgeFlow, judgeOwn, type RouterRules, type Verdict } from './rule-model.ts'
import type { Known, KnownCard, KnownMachine } from './topology.ts'

export interface ReachQuery {
  /** A machine, or `world`. */
  readonly from: string
  /** A machine, an IPv4 address, or `world`. */
  readonly to: string
  readonly protocol: Flow['protocol']
  readonly port?: number
}

interface Hop {
  /** The machine that decides. */
  readonly at: string
  readonly isOpen: boolean
  /** A sentence without its end. */
  readonly reason: string
}

export interface Reach {
  readonly isReachable: boolean
  readonly hops: readonly Hop[]
  /** What was taken to be so. */
  readonly assumptions: readonly string[]
}

const WORLD = 'world'
/** Stand for any address outside and for the WAN address that a router is given; of networks kept for documentation. */
const ANYWHERE = '198.51.100.77'
const WAN_ADDRESS = '192.0.2.77'
/** Of a client whose lease nobody here knows. */
const SOME_CLIENT = 77

type Router = KnownMachine & { readonly facts: NonNullable<KnownMachine['facts']> }

/** @throws {VmpkgError} `DOMAIN_UNKNOWN`, `NETWORK_UNAVAILABLE` for what no router's rules decide, `USAGE` */
export function explainReach(known: Known, query: ReachQuery): Reach {
  return new Explorer(known, query).explain()
}

class Explorer {
  readonly #known: Known
  readonly #query: ReachQuery
  readonly #assumptions = new Set<string>()
  /** Routers that the tunnel at hand has passed. */
  readonly #carriers = new Set<string>()

  constructor(known: Known, query: ReachQuery) {
    this.#known = known
    this.#query = query
  }

  explain(): Reach {
    const { from, to } = this.#query
    if (from === to) throw usage(`${from} and ${to} are the same`, 'Name two places.')
    const hops = from === WORLD ? this.#fromWorld(to) : this.#fromMachine(this.#machine(from), to)
    const isReachable = hops.every(({ isOpen }) => isOpen)
    return { isReachable, hops, assumptions: [...this.#assumptions] }
  }

  #fromMachine(machine: KnownMachine, to: string): readonly Hop[] {
    this.#suppose(machine)
    if (isRouter(machine)) return this.#fromRouter(machine, to)
    const cards = machine.cards.filter(({ isNext, place }) => !isNext && this.#routerOf(place.name) !== undefined)
    if (cards.length === 0) {
      throw new VmpkgError('NETWORK_UNAVAILABLE', `${machine.name} is on no LAN of a router`, {
        hint: 'What it reaches is up to the network that it is on: vmpkg net graph shows it.',
      })
    }
    const ways = cards.map((card) => this.#fromCard(machine, card, to))
    return ways.find((hops) => hops.every(({ isOpen }) => isOpen)) ?? ways[0] ?? []
  }

  #fromCard(machine: KnownMachine, card: KnownCard, to: string): readonly Hop[] {
    const router = this.#routerOf(card.place.name)
    if (router === undefined) return []
    if (card.link === 'down' && machine.isActive) {
      return [hop(machine.name, false, `the link of its card on ${card.place.name} is down`)]
    }
    const neighbour = this.#neighbour(card, to)
    if (neighbour !== undefined && !(card.isIsolated === true && neighbour.isIsolated === true)) {
      return [
        hop(card.place.name, true, `${machine.name} and ${to} are on this network, and not isolated from each other`),
      ]
    }
    const gate = this.#gate(router)
    if (gate !== undefined) return [gate]
    const rules = this.#rulesOf(router)
    const { cidr } = rules.lan
    const { wanAddress } = machine.facts ?? {}
    const source = wanAddress ?? formatAddress(parseSubnet(cidr).address + SOME_CLIENT)
    const side = { side: 'lan', source, ...(card.mac === undefined ? {} : { mac: card.mac }) } as const
    return this.#onward(router, (target) => judgeFlow(rules, { ...side, ...this.#what(), target }), to)
  }

  /** What a router makes of it, and the routers above it. */
  #onward(router: Router, judge: (target: string) => Verdict, to: string): readonly Hop[] {
    const rules = this.#rulesOf(router)
    const inside = this.#insideTarget(router, to)
    const isAtWan = inside !== undefined && inside !== rules.lan.address && rules.layer === 'uni'
    const verdict = judge(inside ?? this.#outsideTarget(to))
    // A client of the same LAN is reached by a forwarded port of the outer address, or not at all.
    const around = isAtWan && !verdict.isOpen ? judge(WAN_ADDRESS) : undefined
    if (around?.forward?.name === to) return [hop(router.name, true, `by its outer address: ${around.reason}`)]
    const first = hop(router.name, verdict.isOpen, verdict.reason)
    if (!verdict.isOpen || verdict.via === 'self' || verdict.via === 'lan') return [first]
    const out = [first, ...this.#out(router, verdict.via === 'tunnel')]
    const isBack = out.every(({ isOpen }) => isOpen) && inside === undefined && this.#isInside(to)
    if (!isBack) return out
    if (isAddress(to))
      return [...out, hop(WORLD, false, `${to} is an address of a LAN here, which nobody outside knows`)]
    return [...out, ...this.#fromWorld(to)]
  }

  /** From a router's WAN to the outside: through the routers above, where there are any. */
  #out(router: Router, isTunnelled: boolean): readonly Hop[] {
    const { name, facts } = router
    const wan = router.cards.find((card) => card.mac !== facts.lanMac && !card.isNext)
    if (wan?.link === 'down' && router.isActive) return [hop(name, false, 'the link of its WAN is down')]
    const upper = facts.net === undefined ? undefined : this.#routerOf(facts.net)
    if (upper === undefined) {
      return facts.net === undefined ? [] : [hop(name, false, `the router of ${facts.net} is gone`)]
    }
    if (!isTunnelled) return []
    const ends: readonly EndpointContext[] =
      facts.reach === 'tor' ? [{ address: ANYWHERE, protocol: 'tcp', port: 443 }] : (facts.endpoints ?? [])
    const ways = ends.map((endpoint) => {
      const { address: target, protocol, port } = endpoint
      const text =
        facts.reach === 'tor' ? 'its circuits, by any relay' : `its tunnel to ${protocol} ${target} port ${port}`
      return this.#through(upper, router, { target, protocol, port }).map((one, i) =>
        i === 0 ? { ...one, reason: `${text}: ${one.reason}` } : one,
      )
    })
    return ways.find((hops) => hops.every(({ isOpen }) => isOpen)) ?? ways[0] ?? [hop(name, false, 'it has no tunnel')]
  }

  /** What the router above makes of what a lower one sends by its card. */
  #through(upper: Router, { facts }: Router, what: Omit<Flow, 'side' | 'source'>): readonly Hop[] {
    if (this.#carriers.has(upper.name)) return [hop(upper.name, false, 'routers stand behind each other here')]
    const gate = this.#gate(upper)
    if (gate !== undefined) return [gate]
    const { wanMac: mac = '', wanAddress: source = '' } = facts
    const { isOpen, reason, via } = judgeFlow(this.#rulesOf(upper), { side: 'lan', mac, source, ...what })
    const first = hop(upper.name, isOpen, reason)
    if (!isOpen) return [first]
    this.#carriers.add(upper.name)
    const out = this.#out(upper, via === 'tunnel')
    this.#carriers.delete(upper.name)
    return [first, ...out]
  }

  #fromRouter(router: Router, to: string): readonly Hop[] {
    if (this.#isInside(to))
      return [hop(router.name, false, 'of itself it opens nothing to its clients or to other machines')]
    const target = this.#outsideTarget(to)
    const own = judgeOwn(this.#rulesOf(router), { ...this.#what(), target })
    const first = hop(router.name, own.isOpen, own.reason)
    if (!own.isOpen) return [first]
    if (own.via === 'tunnel') return [first, ...this.#out(router, true)]
    const upper = router.facts.net === undefined ? undefined : this.#routerOf(router.facts.net)
    return [
      first,
      ...(upper === undefined ? this.#out(router, false) : this.#through(upper, router, { ...this.#what(), target })),
    ]
  }

  /** To the outer address of the router of the first layer that it would come in by. */
  #fromWorld(to: string): readonly Hop[] {
    if (to === WORLD) throw usage('Nothing of yours is between world and world', 'Name a machine.')
    const target = this.#machineAt(to)
    if (target === undefined) return [hop(WORLD, false, `${to} is no machine behind a router here`)]
    this.#suppose(target)
    const router = isRouter(target) ? target : this.#routersOf(target)[0]
    if (router === undefined)
      throw usage(`${target.name} is on no LAN of a router`, 'vmpkg net graph shows what it is on.')
    const top = this.#top(router)
    const verdict = judgeFlow(this.#rulesOf(top), {
      side: 'wan',
      source: ANYWHERE,
      target: WAN_ADDRESS,
      ...this.#what(),
    })
    const { forward, isOpen, reason } = verdict
    if (!isOpen) return [hop(top.name, false, reason)]
    if (forward?.name !== target.name) return [hop(top.name, false, `${reason}, not to ${target.name}`)]
    const gate = this.#gate(top)
    return gate === undefined ? [hop(top.name, true, reason)] : [gate]
  }

  #top(router: Router): Router {
    const seen = new Set<string>()
    let one = router
    for (;;) {
      const upper = one.facts.net === undefined ? undefined : this.#routerOf(one.facts.net)
      if (upper === undefined || seen.has(upper.name)) return one
      seen.add(upper.name)
      one = upper
    }
  }

  /** A panic, or a LAN that is closed while the router runs. */
  #gate(router: Router): Hop | undefined {
    this.#suppose(router)
    if (router.isPanic === true) return hop(router.name, false, 'it is in panic: its links are cut')
    const lan = router.cards.find(({ mac }) => mac !== undefined && mac === router.facts.lanMac)
    const isClosed = router.isActive && lan?.link === 'down'
    return isClosed ? hop(router.name, false, 'its LAN is closed: it has not attested its rules') : undefined
  }

  #suppose({ name, isActive }: KnownMachine): void {
    if (!isActive) this.#assumptions.add(`${name} does not run, and is taken as if it did`)
  }

  #what(): Pick<Flow, 'protocol' | 'port'> {
    const { protocol, port } = this.#query
    return { protocol, ...(port === undefined ? {} : { port }) }
  }

  /** The address by which this router itself knows it: on its own LAN. */
  #insideTarget(router: Router, to: string): string | undefined {
    const { lan } = this.#rulesOf(router)
    if (to === router.name) return lan.address
    if (isAddress(to)) return isIn(to, lan.cidr) ? to : undefined
    const machine = to === WORLD ? undefined : this.#machine(to)
    const isHere = machine?.cards.some(({ place, isNext }) => !isNext && place.name === router.facts.instance)
    if (isHere !== true) return undefined
    return machine?.facts?.wanAddress ?? formatAddress(parseSubnet(lan.cidr).address + SOME_CLIENT + 1)
  }

  #outsideTarget(to: string): string {
    return isAddress(to) ? to : ANYWHERE
  }

  #isInside(to: string): boolean {
    if (to === WORLD) return false
    return !isAddress(to) || this.#known.networks.some(({ facts }) => facts?.role === 'lan' && isIn(to, facts.cidr))
  }

  #machineAt(to: string): KnownMachine | undefined {
    if (!isAddress(to)) return this.#machine(to)
    return this.#known.machines.find(({ facts }) => facts?.wanAddress === to)
  }

  #machine(name: string): KnownMachine {
    const found = this.#known.machines.find((one) => one.name === name)
    if (found !== undefined) return found
    throw new VmpkgError('DOMAIN_UNKNOWN', `There is no machine ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'Name a machine, an IPv4 address, or world; vmpkg net graph shows the machines.',
    })
  }

  /** The other one's card on the same network, where it is no router of it. */
  #neighbour({ place }: KnownCard, to: string): KnownCard | undefined {
    const machine = to === WORLD ? undefined : this.#machineAt(to)
    if (machine === undefined || machine.facts?.instance === place.name) return undefined
    return machine.cards.find(
      (card) => !card.isNext && card.place.kind === place.kind && card.place.name === place.name,
    )
  }

  #routerOf(network: string): Router | undefined {
    return this.#known.machines.filter(isRouter).find(({ facts }) => facts.instance === network)
  }

  #routersOf({ cards }: KnownMachine): readonly Router[] {
    return cards.flatMap(({ place, isNext }) => (isNext ? [] : (this.#routerOf(place.name) ?? [])))
  }

  /** As its templates get them. @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
  #rulesOf({ name, facts }: Router): RouterRules {
    const { instance = '', layer, lanMac = '', wanMac = '', wanAddress, endpoints = [] } = facts
    const cidr = this.#known.networks.find((one) => one.name === instance)?.facts?.cidr
    if (cidr === undefined || layer === undefined) {
      const why = cidr === undefined ? 'its LAN is gone' : 'it has no layer'
      throw new VmpkgError('NETWORK_UNAVAILABLE', `What ${name} lets through cannot be said: ${why}`, {
        hint: 'vmpkg net graph shows what is where.',
      })
    }
    const routers = this.#known.machines.filter(isRouter)
    const clients = this.#known.machines.flatMap((one) =>
      one.facts === undefined ? [] : [{ name: one.name, facts: one.facts }],
    )
    const lan = { mac: lanMac, cidr, address: planPlace(instance, cidr, []).gateway } as RouterRules['lan']
    return {
      layer,
      lan,
      wan: { mac: wanMac, address: layer === 'uni' ? WAN_ADDRESS : (wanAddress ?? WAN_ADDRESS), prefix: 24 },
      lowers: findLowers(instance, routers),
      forwards: layer === 'uni' ? findForwards(instance, clients) : [],
      ...(layer === 'gal' ? { vpn: { name: '', kind: 'openvpn', endpoints, dns: [], addresses: [] } } : {}),
    }
  }
}

function isRouter(machine: KnownMachine): machine is Router {
  return machine.facts?.kind === 'router'
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text)
}

function hop(at: string, isOpen: boolean, reason: string): Hop {
  return { at, isOpen, reason }
}

function usage(message: string, hint: string): VmpkgError {
  return new VmpkgError('USAGE', message, { hint })
}
