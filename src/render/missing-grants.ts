/**
 * What a rendering needs that its package declares and nobody has granted yet: so that it is asked for, and nothing more.
 * The gate is asked again with what it named, since behind a missing capability another one may be missing.
 */
import { type Capability, type GrantName, grantName, isGrantedBy } from '../model/capability.ts'
import { type GateInput, holds, type Need } from './gate.ts'
import { type Finding, refuseFindings } from './policy.ts'

/**
 * In the order in which the package declares them.
 * @param judge what the gate finds with these grants
 * @throws {VmpkgError} `POLICY_REFUSED` where no grant would help: then there is nothing to ask for
 */
export function findMissingGrants(
  subject: string,
  { capabilities, granted }: Pick<GateInput, 'capabilities' | 'granted'>,
  judge: (granted: readonly GrantName[]) => readonly Finding[],
): readonly Capability[] {
  const judgeWith = (some: readonly Capability[]): readonly Finding[] => judge([...granted, ...some.map(grantName)])
  const missing: Capability[] = []
  for (let findings = judgeWith([]); findings.length > 0; findings = judgeWith(missing)) {
    const open = capabilities.filter((one) => !isGrantedBy(one, granted) && !missing.includes(one))
    const needs = new Set(findings.flatMap(({ allowedBy }) => allowedBy ?? []))
    const more = [...needs].flatMap((need) => leastOf(open, need) ?? [])
    if (more.length === 0) refuseFindings(subject, findings)
    missing.push(...new Set(more))
  }
  // Writing holds reading: what another one turned out to hold is not asked for.
  let least: readonly Capability[] = missing
  for (const one of missing) {
    const fewer = least.filter((other) => other !== one)
    if (judgeWith(fewer).length === 0) least = fewer
  }
  return capabilities.filter((one) => least.includes(one))
}

function leastOf(open: readonly Capability[], need: Need): Capability | undefined {
  return open.find((one) => grantName(one) === need) ?? open.find((one) => holds(one, need))
}
