/**
 * Makes tests of leak cases: each holds in all its states and fails under its named change. States are run once for all
 * cases together; a control is a run of its own. In all of them a probe that its sender's card did not see is a failure.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Layer } from '../../../src/model/line.ts'
import { LAN_MAC, type Lab, startLab, WAN_MAC } from './lab.ts'
import { isShared, type LeakCase, type State } from './leak-case.ts'
import { labMissing } from './namespace.ts'
import { type RouterFiles, readRouterFiles } from './router-files.ts'
import { type Outcome, runScene } from './scene.ts'

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

export function leakTests(
  packageName: string,
  layer: Layer,
  cases: readonly LeakCase[],
  around: Parameters<typeof readRouterFiles>[3] = {},
): void {
  const what = Object.keys(around).map((name) => ` with ${name}`)
  describe(`${packageName}${what.join('')} in network namespaces`, { skip: labMissing() }, () => {
    let lab: Lab
    let files: RouterFiles
    const scenes = new Map<string, Promise<Outcome>>()
    before(async () => {
      const { vpn, road } = around
      lab = await startLab({ vpn: layer === 'gal' && (vpn ?? 'openvpn'), road })
      files = await readRouterFiles(packageName, layer, { wan: WAN_MAC, lan: LAN_MAC }, around)
    })
    after(async () => lab.stop())

    /** Cases that need larger taps or other cards run by themselves. */
    const shared = (state: State, one: LeakCase): Promise<Outcome> => {
      const key = isShared(one) ? state : `${state} ${one.id}`
      const together = cases.filter((other) => isShared(other) && other.states.includes(state))
      const found = scenes.get(key) ?? runScene(lab, files, { state, cases: isShared(one) ? together : [one] })
      scenes.set(key, found)
      return found
    }

    for (const one of cases) {
      const { id, title, states, negative } = one
      describe(`${id}: ${title}`, () => {
        for (const state of states) {
          test(`holds in state ${state}, ${STATE_NAMES[state]}`, async () => {
            const { failures } = await shared(state, one)
            assert.deepEqual(failures.get(id) ?? [], [])
          })
        }
        const changed = negative.changes.map(
          ({ file, find, replace }) => `${file}: ${shorten(find)} → ${shorten(replace)}`,
        )
        test(`fails with ${changed.join(', ')}`, async () => {
          const { state = states[0] ?? 'U', ...control } = negative
          const options = { ...control, state, cases: [one] }
          // What is wrong shows with the packets, and not in every run that the machine has little time for.
          for (let round = 0; round < ROUNDS; round++) {
            const { failures } = await runScene(lab, files, options)
            if ((failures.get(id) ?? []).length > 0) return
          }
          assert.fail('the case holds all the same: it proves nothing')
        })
      })
    }
  })
}

function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > 50 ? `${line.slice(0, 49)}…` : line
}
