/** A8 of docs/leaks.md: the agent ends, at any moment, and what of the rules is there then. */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type AgentReply, findReply, formatRequest } from '../../../src/router/agent.ts'
import { ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, LAN_MAC, type TapName } from '../../support/leak-lab/lab.ts'
import { type Bench, type LeakCase, type State } from '../../support/leak-lab/leak-case.ts'
import { fromClient, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { RULES } from './rules.ts'

/** How often it is killed while it takes new rules, which takes it about so many milliseconds. */
const [KILLS, TAKING_MS] = [2, 150] as const
/** A client of which the router has not heard before the agent ended. */
const NEW = { mac: '02:00:00:00:02:0d', address: '10.1.1.66' } as const

const say = async ({ lab }: Bench, text: string, wanted: string, timeout: number): Promise<string> =>
  (await lab.request<{ line: string | null }>('ask', { id: 'agent', text, wanted, timeout })).line ?? ''

/** What an agent says that init may just be starting. A reset takes some seconds. */
async function askAgain(bench: Bench, verb: 'status' | 'reset' = 'status'): Promise<AgentReply | undefined> {
  for (let tries = 0; tries < 8; tries++) {
    const nonce = randomBytes(16).toString('hex')
    const reply = findReply(await say(bench, formatRequest(verb, nonce), nonce, verb === 'reset' ? 20 : 3))
    if (reply !== undefined) return reply
  }
  return undefined
}

async function newClient(bench: Bench, passes: readonly TapName[]): Promise<void> {
  const from = (target: string): ReturnType<typeof fromClient> => ({
    from: NEW,
    to: { mac: LAN_MAC, address: target },
  })
  await bench.send(
    'a',
    udp(from(SERVER), [5400, 5400], bench.token('a', 'udp of a new client', passes)),
    tcp(from(SERVER), [5400, 22], bench.token('a', 'tcp of a new client', passes)),
    ping(from(LAN_ADDRESS), bench.token('a', 'a ping of a new client to the router')),
    udp(from(CLIENTS.b.address), [5400, 5400], bench.token('a', 'udp of a new client to another')),
  )
}

const listRules = ({ router }: Bench): Promise<string> => router.shell('nft -s -t list ruleset')

/** The agent, and shells that it has started by that name: such a one may have ended when its turn comes. */
const killAgent = (signal: 'TERM' | 'KILL'): string => `killall -${signal} agent || true`

/** At the end of every state, as the kernel does it when memory is short: what is there while init has not started it again. */
async function endAgent(bench: Bench, passes: readonly TapName[], signal: 'TERM' | 'KILL'): Promise<readonly string[]> {
  const before = await listRules(bench)
  await bench.router.shell(killAgent(signal))
  await newClient(bench, passes)
  return (await listRules(bench)) === before ? [] : [`after ${signal} the rules are others`]
}

/** Killed while it takes rules that let a client in: whatever it then says has to be what the kernel does. */
async function killTaking(bench: Bench, passes: readonly TapName[]): Promise<readonly string[]> {
  const wrong: string[] = [...(await endAgent(bench, passes, 'TERM'))]
  if ((await askAgain(bench))?.rules?.matches !== true) wrong.push('the next agent does not attest the rules')
  const { files } = bench.router
  const rules = files.medium[RULES] ?? ''
  const wider = ['input', 'output'].reduce((text, chain) => {
    const head = `type filter hook ${chain} priority filter; policy drop;\n`
    const end = chain === 'input' ? 'saddr' : 'daddr'
    return text.replace(head, `${head}    ip ${end} ${CLIENTS.b.address} meta l4proto icmp accept\n`)
  }, rules)
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
  for (let round = 0; round < KILLS; round++) {
    const wanted = round % 2 === 0 ? wider : rules
    await bench.router.changeMedium({ ...files, medium: { ...files.medium, [RULES]: wanted } })
    await say(bench, formatRequest('reset', randomBytes(16).toString('hex')), 'nothing', 0)
    await delay((TAKING_MS / KILLS) * round)
    await bench.router.shell(killAgent('KILL'))
    const said = (await askAgain(bench))?.rules
    if (said === undefined) wrong.push(`round ${round}: there is no answer any more`)
    const token = bench.token('b', 'a ping of the client that the new rules let in', ['lan', 'b'])
    await bench.send('b', ping(fromClient('b', LAN_ADDRESS), token))
    const isAnswered = (await bench.see('b', token, 0.2)) !== undefined
    if (said?.matches === true && isAnswered !== (said.sha256 === digest(wider)))
      wrong.push(`round ${round}: the agent attests the ${isAnswered ? 'old' : 'new'} rules, and the kernel has others`)
  }
  // And in the one moment that hardly ever is hit: it has put the old ones away, and the new ones are not in their place.
  const between = 'cd /run/vmpkg; rm -rf config.old; cp -r config config.new; mv config config.old; '
  await bench.router.shell(between + killAgent('KILL'))
  if ((await askAgain(bench)) === undefined) wrong.push('killed while it exchanged its files it is gone')
  await bench.router.changeMedium(files)
  const last = await askAgain(bench, 'reset')
  if (last?.rules?.matches !== true || last.rules.sha256 !== digest(rules))
    wrong.push(`it takes no rules any more: ${last?.error ?? 'no answer'}`)
  return wrong
}

/** @param passes where probes of a client may be seen */
export function agentEnds(passes: readonly TapName[], states: readonly State[]): LeakCase {
  return {
    id: 'A8',
    title: 'when the agent ends the rules stay, and a client gets nothing that was not attested',
    states,
    act: (bench) => killTaking(bench, passes),
    inspect: (bench) => endAgent(bench, passes, 'KILL'),
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/agent',
          find: 'exec 3<>"$port"\n',
          replace: `exec 3<>"$port"\ntrap 'nft flush ruleset' EXIT\ntrap 'exit 1' TERM\n`,
        },
      ],
      state: 'U',
    },
  }
}
