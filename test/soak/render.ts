/** Hostile parameters before the whole way from text to XML and guest files, read by libxml2, sh and jq. */
import { RenderFuzz } from '../support/render-fuzz.ts'

export interface RenderSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further batch begins after it. */
  readonly until: number
}

const BATCH = 2000
/** Checking a schema takes longer than all the rest. */
const SCHEMA_SHARE = 0.02

export async function soakRender({ seed, from, cases, until }: RenderSoak): Promise<string> {
  const begun = Date.now()
  const fuzz = new RenderFuzz()
  let at = from
  while (at < from + cases && Date.now() < until) {
    const end = Math.min(at + BATCH, from + cases)
    for (; at < end; at += 1) fuzz.tryOne(seed, at)
    fuzz.check(SCHEMA_SHARE)
  }
  const count = (value: number): string => value.toLocaleString('en')
  const { figures } = fuzz
  const seconds = Math.round((Date.now() - begun) / 1000)
  return `Cases ${count(from)} to ${count(at - 1)} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${at}\`.

${count(figures.parameterSets)} parameter sets in ${seconds} s. ${count(figures.refusedParameters)} single values and ${count(figures.refusedRenderings)} renderings were refused; ${count(figures.domains)} domains, ${count(figures.networks)} networks and ${count(figures.guestFiles)} guest files were written. Malformed: 0. With an element or an attribute that its template did not have: 0. Values that did not come back as they were: 0. Invalid by libvirt's schema: 0 of the ${count(figures.schemaChecked)} that were checked.`
}
