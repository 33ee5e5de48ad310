/** Groups H and N of docs/leaks.md: what a change of the rules leaves behind, and when it is acknowledged. */

import { ping } from '../../support/leak-lab/frames.ts'
import { LAN_MAC } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { fromClient, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import { RULES } from './rules.ts'

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
]
