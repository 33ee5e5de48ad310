import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import type { Layer } from '../../src/model/line.ts'
import { type Member, planMove, type Surroundings } from '../../src/router/move.ts'
import { Random } from '../support/random.ts'

const lans = [
  { name: 'uni0', layer: 'uni' },
  { name: 'uni1', layer: 'uni' },
  { name: 'gal0', layer: 'gal' },
  { name: 'sol0', layer: 'sol' },
  { name: 'lost', layer: 'uni' },
] as const
const routers = [
  { name: 'router-uni', net: undefined, instance: 'uni0' },
  { name: 'router-two', net: undefined, instance: 'uni1' },
  { name: 'router-gal', net: 'uni0', instance: 'gal0' },
  { name: 'router-sol', net: 'gal0', instance: 'sol0' },
]
const HERE: Surroundings = { lans, routers }
const client: Member = { name: 'app', net: 'gal0' }
const move = (to: string, needs: Layer | 'uplink' | undefined, force = false, machine = client): string =>
  planMove(HERE, { machine, to, needs, force })

describe('planMove', () => {
  test('a client goes to a LAN by its name or its router’s, as deep as it likes', () => {
    assert.equal(move('uni1', 'uni'), 'uni1')
    assert.equal(move('router-sol', 'uni'), 'sol0')
    assert.equal(move('sol0', undefined), 'sol0')
  })

  test('never nearer to the outside than its package asks for, unless it is forced', () => {
    assert.throws(() => move('uni0', 'gal'), /app is for layer gal and what is behind it/)
    assert.throws(() => move('gal0', 'sol'), /of layer gal/)
    assert.equal(move('uni0', 'sol', true), 'uni0')
  })

  test('a LAN without a router, or none at all, is refused with what there is', () => {
    assert.throws(() => move('lost', 'uni'), /no router’s LAN "lost"/)
    assert.throws(
      () => move('nobody', 'uni', true),
      (error) => isVmpkgError(error) && /uni0, uni1/.test(error.hint ?? ''),
    )
  })

  test('a router stands behind one of the layer that it asks for, and force changes nothing', () => {
    const gal = routers[2] as Member
    assert.equal(move('router-two', 'uni', false, gal), 'uni1')
    assert.throws(() => move('gal0', 'uni', true, gal), /cannot stand behind itself/)
    assert.throws(() => move('sol0', 'uni', true, gal), /router-sol stands behind router-gal/)
    assert.throws(() => move('uni1', 'gal', true, routers[3]), /stands behind a router of layer gal/)
  })

  test('in 10,000 random graphs what is accepted makes no loop and no second parent, and nothing else is refused for one', () => {
    const random = new Random(4)
    let accepted = 0
    let refused = 0
    for (let round = 0; round < 10_000; round++) {
      const count = 2 + random.below(7)
      const names = Array.from({ length: count }, (_, i) => `n${i}`)
      const all = names.map((instance, i): Member => {
        return { name: `r${i}`, instance, net: random.chance(0.2) ? undefined : random.pick(names) }
      })
      const machine = random.pick(all)
      const to = random.pick(names)
      const around = { lans: names.map((name) => ({ name, layer: 'uni' as const })), routers: all }
      const after = all.map((one) => (one === machine ? { ...one, net: to } : one))
      const loops = isOnLoop(after, machine.name)
      try {
        assert.equal(planMove(around, { machine, to, needs: undefined, force: random.chance(0.5) }), to)
        assert.equal(loops, false, JSON.stringify({ machine, to, all }))
        accepted += 1
      } catch (error) {
        if (!isVmpkgError(error)) throw error
        assert.equal(loops, true, `${error.message} ${JSON.stringify({ machine, to, all })}`)
        refused += 1
      }
    }
    assert.ok(accepted > 1000 && refused > 1000, `${accepted} accepted, ${refused} refused`)
  })
})

/** Going up from it, hop by hop, as many hops as there are routers: whether it comes by itself again. */
function isOnLoop(all: readonly Member[], start: string): boolean {
  let one = all.find(({ name }) => name === start)
  for (let hops = 0; hops <= all.length; hops++) {
    const net = one?.net
    one = net === undefined ? undefined : all.find(({ instance }) => instance === net)
    if (one === undefined) return false
    if (one.name === start) return true
  }
  return false
}
