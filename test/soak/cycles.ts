/** Machines made and removed while vmpkg, QEMU and libvirtd are killed. */
import { makeCycleSite } from '../support/clone-cycles.ts'
import { privateHostMissing } from '../support/private-host.ts'

interface CyclesRequest {
  readonly seed: number
  /** Number of the first cycle. */
  readonly from: number
  readonly cases: number
  readonly until?: number
}

/** Throws at the first cycle that leaves something. @returns the figures in Markdown */
export async function soakCycles({
  seed,
  from,
  cases,
  until = Number.POSITIVE_INFINITY,
}: CyclesRequest): Promise<string> {
  const missing = await privateHostMissing()
  if (missing !== false) throw new Error(missing)
  const began = performance.now()
  await using site = await makeCycleSite('eph-soak', seed)
  let next = from
  while (next < from + cases && Date.now() < until) {
    try {
      await site.run(next)
    } catch (cause) {
      throw new Error(`cycle ${next} of seed ${seed} failed`, { cause })
    }
    next++
    console.error(`${next - from} of ${cases} cycles`)
  }
  const { machines, killed, left } = site.figures
  const text = (value: number): string => Math.round(value).toLocaleString('en')
  const kills = Object.entries(killed).map(([what, count]) => `${what} ${text(count)} times`)
  return [
    `Cycles ${text(from)} to ${text(next - 1)} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${next}\`.`,
    '',
    `${text(machines)} machines in ${text((performance.now() - began) / 1000)} s. Killed: ${kills.join(', ')}. ` +
      `In ${text(left)} cycles something was left for gc, in none after it.`,
  ].join('\n')
}
