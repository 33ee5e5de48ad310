/** Groups H and N of docs/leaks.md, and O4: what a change of the rules leaves behind, and when it is acknowledged. */

import { ping, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, LAN_MAC } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { RULES, without } from './rules.ts'

const BESIDE = 'iifname "lan" oifname "wan" ct direction reply ct status ! dnat drop'

/** Puts a medium with other rules into the drive and has it taken; returns what the agent said. */
async function switchRules({ router }: Bench, rules: string): Promise<string | undefined> {
  await router.changeMedium({ ...router.files, medium: { ...router.files.medium, [RULES]: rules } })
  await router.ask('reset')
  try {
    await router.attest()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function isAnswered(bench: Bench, what: string, mayBe: boolean): Promise<boolean> {
  const token = bench.token('b', what, mayBe ? ['lan', 'b'] : [])
  await bench.send('b', ping(fromClient('b', LAN_ADDRESS), token))
  return (await bench.see('b', Buffer.concat([token]), 0.2))?.source === LAN_MAC
}

/** A flow that came in beside the way out, which is closed to it again; what the machine still has to say is sent where it must not go. */
async function isKeptIn(bench: Bench): Promise<readonly string[]> {
  const wrong: string[] = []
  const rules = bench.router.files.medium[RULES] ?? ''
  const { address } = CLIENTS.a
  const head = 'type filter hook forward priority filter; policy drop;\n'
  const opened = rules
    .replace('    iifname "wan" ip daddr 10.1.1.0/24 drop\n', '')
    .replace(head, `${head}    iifname "wan" ip daddr ${address} accept\n`)
  const refusal = await switchRules(bench, opened)
  if (refusal !== undefined) wrong.push(refusal)
  const question = bench.token('wan', 'a question from outside', ['lan', 'a'])
  await bench.send('wan', udp(fromWan(SERVER, address), [7700, 7701], question))
  if ((await bench.see('a', question)) === undefined) wrong.push('the question does not get in')
  const second = await switchRules(bench, rules)
  if (second !== undefined) wrong.push(second)
  const answer = bench.token('a', 'an answer that comes too late')
  await bench.send('a', udp(fromClient('a', SERVER), [7701, 7700], answer))
  if ((await bench.see('wan', answer, 0.3)) !== undefined) wrong.push('the answer leaves')
  return wrong
}

export const CONTROL: readonly LeakCase[] = [
  {
    id: 'H5',
    title: 'what was allowed to a client that is gone is not allowed to the next one with its address',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const rules = bench.router.files.medium[RULES] ?? ''
      const head = 'type filter hook input priority filter; policy drop;\n'
      const allowed = rules.replace(head, `${head}    ip saddr 10.1.1.20 icmp type echo-request accept\n`)
      const refusal = await switchRules(bench, allowed)
      if (refusal !== undefined) wrong.push(refusal)
      if (!(await isAnswered(bench, 'a ping of the client that may', true)))
        wrong.push('the rule for the client does nothing')
      const second = await switchRules(bench, rules)
      if (second !== undefined) wrong.push(second)
      if (await isAnswered(bench, 'a ping of its successor', false)) wrong.push('the old rule is still there')
      return wrong
    },
    negative: { changes: [{ file: RULES, find: 'flush table inet vmpkg\n', replace: '' }] },
  },
  {
    id: 'N1',
    title: 'new rules are acknowledged when the kernel has them, and with a digest of what it has',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const rules = bench.router.files.medium[RULES] ?? ''
      const changed = rules.replace('tcp sport 0 drop\n', 'tcp sport 0 drop\n    tcp sport 1 drop\n')
      const refusal = await switchRules(bench, changed)
      if (refusal !== undefined) wrong.push(`after the change: ${refusal}`)
      if (!(await bench.router.shell('nft list ruleset')).includes('tcp sport 1 drop'))
        wrong.push('acknowledged and not in the kernel')
      const back = await switchRules(bench, rules)
      if (back !== undefined) wrong.push(`after the way back: ${back}`)
      await bench.router.shell('nft add rule inet vmpkg input tcp sport 2 drop')
      const altered = (await bench.router.ask('status')).rules?.matches
      if (altered !== false) wrong.push('a rule that is not of the file is attested')
      const last = await switchRules(bench, rules)
      if (last !== undefined) wrong.push(`after a rule was taken out again: ${last}`)
      return wrong
    },
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/router.sh',
          find: 'load_rules() { nft -f "$1/$RULES" ||',
          replace:
            'load_rules() { if [ -e "$STATE/up" ]; then (usleep 3000000; nft -f "$1/$RULES") >/dev/null 2>&1 & return 0; fi; nft -f "$1/$RULES" ||',
        },
      ],
    },
  },
  {
    id: 'O4',
    title: 'an answer to a question that came in by another way does not leave by the WAN',
    states: ['U'],
    act: isKeptIn,
    negative: { changes: [without(BESIDE)] },
  },
]
