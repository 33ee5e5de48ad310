/** Mutated answers to the libvirt client, many of them. */
import { heldMib } from '../support/memory.ts'
import { type MutatedReplies, type Outcome, runMutatedReplies } from '../support/mutated-replies.ts'

/** Between two of these the memory is looked at. */
const SLICE_CASES = 10_000
const OUTCOMES: readonly Outcome[] = ['value', 'refused', 'silence', 'closed']

/**
 * Runs until the cases are done or the time is over; throws at the first call that does not settle as it should.
 * @returns the figures in Markdown
 */
export async function soakLibvirt({
  seed,
  from,
  cases,
  until = Number.POSITIVE_INFINITY,
}: MutatedReplies): Promise<string> {
  const end = from + cases
  const total = { calls: 0, reopened: 0, seconds: 0, peakMib: 0 }
  const table: Record<string, Record<Outcome, number>> = {}
  const held: number[] = []
  let next = from
  while (next < end && Date.now() < until) {
    const figures = await runMutatedReplies({ seed, from: next, cases: Math.min(SLICE_CASES, end - next), until })
    next = figures.next
    total.calls += figures.calls
    total.reopened += figures.reopened
    total.seconds += figures.seconds
    total.peakMib = Math.max(total.peakMib, figures.peakMib)
    held.push(heldMib())
    for (const [mutation, row] of Object.entries(figures.outcomes)) {
      const sum = (table[mutation] ??= { value: 0, refused: 0, silence: 0, closed: 0 })
      for (const outcome of OUTCOMES) sum[outcome] += row[outcome]
    }
    console.error(`${next - from} of ${cases} cases, ${held.at(-1)?.toFixed(1)} MiB held`)
  }
  const text = (number: number) => Math.round(number).toLocaleString('en')
  return [
    `Cases ${text(from)} to ${text(next - 1)} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${next}\`.`,
    '',
    `${text(next - from)} batches of one to four answers, ${text(total.calls)} calls in ${text(total.seconds)} s ` +
      `(${text((next - from) / total.seconds)} batches a second), ${text(total.reopened)} connections opened again. ` +
      `At most ${text(total.peakMib)} MiB resident, daemons included; held after a collection: ` +
      `${held[0]?.toFixed(1)} MiB after the first ${text(SLICE_CASES)}, ${held.at(-1)?.toFixed(1)} MiB at the end.`,
    '',
    '| what was wrong with one answer of the batch | a value | refused | no answer in time | connection closed |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...Object.entries(table)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([mutation, row]) => `| ${mutation} | ${OUTCOMES.map((outcome) => text(row[outcome])).join(' | ')} |`),
  ].join('\n')
}
