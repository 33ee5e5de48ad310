/**
 * Makes tests of leak cases: each holds in all its states and fails under its named change. States are run once for all
 * cases together; a control is a run of its own. In all of them a probe that its sender's card did not see is a failure.
 * Several labs work at a time, a little ahead of the tests: the time that a test took is what it was waited for.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Layer } from '../../../src/model/line.ts'
import { Ahead } from './ahead.ts'
import { LAN_MAC, type Lab, startLab, WAN_MAC } from './lab.ts'
import { isShared, type LeakCase, type State } from './leak-case.ts'
import { labMissing } from './namespace.ts'
import { type RouterFiles, readRouterFiles } from './router-files.ts'
import { type Outcome, runScene } from './scene.ts'

/** How many work at a time. Most of a scene is waiting: for a lease, a tunnel, a frame that must not come. */
export const LABS = 4

/** Tries of a negative control. */
const ROUNDS = 3

const STATE_NAMES: Readonly<Record<State, string>> = {
  B: 'boot before the rules',
  U: 'up',
  R: 'reload',
  H: 'shutdown',
  F: 'WAN flapping',
  D: 'tunnel dead',
}

interface Place {
  readonly lab: Lab
  readonly files: RouterFiles
}

export function leakTests(
  packageName: string,
  layer: Layer,
  cases: readonly LeakCase[],
  around: Parameters<typeof readRouterFiles>[3] = {},
): void {
  const what = Object.keys(around).map((name) => ` with ${name}`)
  describe(`${packageName}${what.join('')} in network namespaces`, { skip: labMissing(), concurrency: 1 }, () => {
    const start = async (): Promise<Place> => {
      const { vpn, road } = around
      return {
        lab: await startLab({ vpn: layer === 'gal' && (vpn ?? 'openvpn'), road }),
        files: await readRouterFiles(packageName, layer, { wan: WAN_MAC, lan: LAN_MAC }, around),
      }
    }
    /** Cases that need larger taps or other cards run by themselves. */
    const withSharers = (state: State, one: LeakCase): readonly LeakCase[] =>
      isShared(one) ? cases.filter((other) => isShared(other) && other.states.includes(state)) : [one]
    const jobs = cases.flatMap((one) => [
      ...one.states.map((state) => ({ key: keyOf(state, one), run: scene(state, withSharers(state, one)) })),
      { key: controlKey(one), run: control(one) },
    ])
    const outcomes = new Ahead(
      jobs.filter(({ key }, index) => jobs.findIndex((other) => other.key === key) === index),
      { most: LABS, start, end: async ({ lab }) => lab.stop() },
    )
    after(async () => outcomes.stop())

    for (const one of cases) {
      const { id, title, states, negative } = one
      describe(`${id}: ${title}`, () => {
        for (const state of states) {
          test(`holds in state ${state}, ${STATE_NAMES[state]}`, async () => {
            const { failures } = await outcomes.get(keyOf(state, one))
            assert.deepEqual(failures.get(id) ?? [], [])
          })
        }
        const changed = negative.changes.map(
          ({ file, find, replace }) => `${file}: ${shorten(find)} → ${shorten(replace)}`,
        )
        test(`fails with ${changed.join(', ')}`, async () => {
          const { failures } = await outcomes.get(controlKey(one))
          if ((failures.get(id) ?? []).length === 0) assert.fail('the case holds all the same: it proves nothing')
        })
      })
    }
  })
}

function keyOf(state: State, one: LeakCase): string {
  return isShared(one) ? state : `${state} ${one.id}`
}

function controlKey({ id }: LeakCase): string {
  return `without ${id}`
}

function scene(state: State, cases: readonly LeakCase[]) {
  return async ({ lab, files }: Place): Promise<Outcome> => runScene(lab, files, { state, cases })
}

/** What is wrong shows with the packets, and not in every run that the machine has little time for. */
function control(one: LeakCase) {
  const { state = one.states[0] ?? 'U', ...rest } = one.negative
  return async ({ lab, files }: Place): Promise<Outcome> => {
    for (let round = 1; ; round++) {
      const outcome = await runScene(lab, files, { ...rest, state, cases: [one] })
      if (round === ROUNDS || (outcome.failures.get(one.id) ?? []).length > 0) return outcome
    }
  }
}

function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > 50 ? `${line.slice(0, 49)}…` : line
}
