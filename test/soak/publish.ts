/** Publishing and updating at once, thousands of times. */
import { runPublishCycles } from '../support/publish-cycles.ts'

interface SoakRequest {
  readonly seed: number
  readonly from: number
  readonly cases: number
  readonly until?: number
}

/** Throws at the first error. @returns the figures in Markdown */
export async function soakPublish({
  seed,
  from,
  cases,
  until = Number.POSITIVE_INFINITY,
}: SoakRequest): Promise<string> {
  const { next, cycles, updates, changed, copied, behind, seconds } = await runPublishCycles({
    seed,
    from,
    cycles: cases,
    until,
  })
  const text = (number: number): string => Math.round(number).toLocaleString('en')
  return [
    `Cycles ${text(from)} to ${text(next - 1)} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${next}\`.`,
    '',
    `${text(cycles)} versions published in ${text(seconds)} s, during and after which clients updated ${text(updates)} times ` +
      `(${text(changed)} with new lists); mirrors copied ${text(copied)} files, and ${text(behind)} updates by way of them ` +
      'were answered with an older complete version. Errors: 0.',
  ].join('\n')
}
