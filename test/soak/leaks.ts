/**
 * `npm run soak -- leaks`: every mutant of the rules of the routers and of the settings of their boot script, all ports, 100,000
 * messages to the agent, then boots, reloads, shutdowns and flaps without end. Case numbers run through them in this order.
 */
import { agentCase, MANY_MESSAGES } from '../leaks/cases/agent.ts'
import { UNI_UNSEEN } from '../leaks/cases/depth.ts'
import { ALL_PORTS, sweepCase } from '../leaks/cases/sweep.ts'
import { UNI_CASES } from '../leaks/cases/uni.ts'
import { LAN_MAC, type Lab, startLab, WAN_MAC } from '../support/leak-lab/lab.ts'
import { ALL_STATES, isShared, type State } from '../support/leak-lab/leak-case.ts'
import { listTried } from '../support/leak-lab/mutated-routers.ts'
import { planOpenvpn } from '../support/leak-lab/openvpn-road.ts'
import { type RouterFiles, readRouterFiles } from '../support/leak-lab/router-files.ts'
import { runScene } from '../support/leak-lab/scene.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { wireguardMissing } from '../support/leak-lab/wireguard-client.ts'
import { planWireguard } from '../support/leak-lab/wireguard-road.ts'

const RELOADS = 100

interface Figures {
  readonly verdicts: string[]
  readonly kinds: Record<'caught' | 'caught in depth' | 'survived', number>
  readonly scenes: Record<State, number>
  frames: number
  swept: boolean
  told: boolean
  readonly failures: string[]
}

export async function soakLeaks({
  from,
  cases,
  until,
}: {
  from: number
  cases: number
  until: number
}): Promise<string> {
  const withTunnel = vpnMissing() === false
  const lab = await startLab({ vpn: withTunnel && 'openvpn' })
  const others: Lab[] = []
  const begun = Date.now()
  const figures: Figures = {
    verdicts: [],
    kinds: { caught: 0, 'caught in depth': 0, survived: 0 },
    scenes: { B: 0, U: 0, R: 0, H: 0, F: 0, D: 0 },
    frames: 0,
    swept: false,
    told: false,
    failures: [],
  }
  let at = from
  try {
    const files = await readRouterFiles('router-uni', 'uni', { wan: WAN_MAC, lan: LAN_MAC })
    if (withTunnel) others.push(await startLab({ road: await planOpenvpn() }))
    if (wireguardMissing() === false) others.push(await startLab({ road: planWireguard() }))
    const mutants = await listTried(lab, others)
    for (; at < from + cases && Date.now() < until; at++) {
      const tried = mutants[at]
      if (tried === undefined) await runState(lab, files, at - mutants.length, figures)
      else {
        const { router, mutant, runner } = tried
        const verdict = await runner.run(mutant)
        figures.kinds[verdict.kind]++
        const by = verdict.kind === 'survived' ? '**nothing**' : verdict.by.slice(0, 4).join(', ')
        const more = verdict.kind === 'survived' ? 0 : Math.max(0, verdict.by.length - 4)
        const depth = verdict.kind === 'caught in depth' ? ' (with those before it out)' : ''
        const row = `| ${router} | \`${mutant.name.replaceAll('|', String.raw`\|`)}\` | ${by}${more > 0 ? ` and ${more} more` : ''}${depth} |`
        figures.verdicts.push(row)
        console.log(row)
      }
    }
    return format(figures, { from, at, mutants: mutants.length, seconds: Math.round((Date.now() - begun) / 1000) })
  } finally {
    await lab.stop()
    for (const other of others) await other.stop()
  }
}

/** Cases that the tests have a small part of. */
const LONG = [() => sweepCase(ALL_PORTS), () => agentCase(MANY_MESSAGES)]

/** The sweep of all ports and the messages for the agent first, then one state after the other. */
async function runState(lab: Lab, files: RouterFiles, number: number, figures: Figures): Promise<void> {
  const long = LONG[number]?.()
  const state = long === undefined ? (ALL_STATES[number % ALL_STATES.length] ?? 'U') : 'U'
  const cases = long !== undefined ? [long] : UNI_CASES.filter((one) => isShared(one) && one.states.includes(state))
  const { failures, frames } = await runScene(lab, files, { state, cases, reloads: RELOADS })
  if (number === 0) figures.swept = true
  else if (number === 1) figures.told = true
  else figures.scenes[state]++
  figures.frames += frames
  for (const [id, lines] of failures) figures.failures.push(`${state} ${id}: ${lines[0]}`)
  if (failures.size > 0) console.log(figures.failures.at(-1))
}

function format(
  { verdicts, kinds, scenes, frames, swept, told, failures }: Figures,
  { from, at, mutants, seconds }: { from: number; at: number; mutants: number; seconds: number },
): string {
  const tried = kinds.caught + kinds['caught in depth'] + kinds.survived
  const states = ALL_STATES.map((state) => `${state} ${scenes[state]}`).join(', ')
  return [
    `Cases ${from} to ${at - 1} in ${seconds} s; the next run goes on with \`--from ${at}\`.`,
    '',
    `Mutants: ${tried} of ${mutants} tried, ${kinds.caught} caught, ${kinds['caught in depth']} caught where the lines before them are out, ${kinds.survived} survived. Lines that no packet can tell, not tried: ${Object.keys(UNI_UNSEEN).length} (docs/leaks.md).`,
    '',
    `All ports: ${swept ? 'swept' : 'not in this run'}. Messages to the agent: ${told ? MANY_MESSAGES.toLocaleString('en') : 'not in this run'}. Whole runs by state: ${states}; ${frames.toLocaleString('en')} frames on the taps. Failures: ${failures.length}${failures.length === 0 ? '' : ` (${failures.slice(0, 5).join('; ')})`}.`,
    '',
    '| router | what is taken out | caught by |',
    '| --- | --- | --- |',
    ...verdicts,
  ].join('\n')
}
