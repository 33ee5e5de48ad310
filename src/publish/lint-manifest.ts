/** Mistakes in what a manifest says that its schema cannot see: style, texts, what other versions of the package say. */
import type { Manifest } from '../model/manifest.ts'
import { matchesNamePattern } from '../model/name.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import { parseRelation } from '../model/relation.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { compilePattern } from '../render/pattern.ts'
import { findingsOf, type LintFinding, lintError, lintWarning } from './lint-finding.ts'
import type { RegistryView } from './registry-view.ts'

/** What could steer a terminal or turn text around; line ends and tabs are text. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/
const MAX_SUMMARY = 80
/** An expression of SPDX identifiers (SPDX 2.3, annex D), by shape. */
const LICENSE = /^\(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?(?: (?:AND|OR|WITH) \(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?)*$/

export function lintManifest(manifest: Manifest): readonly LintFinding[] {
  const { name, summary, license, description, notes = '', ready, kind, guest } = manifest
  const findings: LintFinding[] = []
  for (const [field, text] of Object.entries({ description, notes })) {
    if (CONTROL.test(text)) {
      findings.push(lintError('control-characters', field, 'has characters that could steer a terminal'))
    }
  }
  const style = summaryFault(name, summary)
  if (style !== undefined) findings.push(lintWarning('summary-style', 'summary', style))
  if (description.trim() === '') findings.push(lintWarning('description-missing', 'description', 'is empty'))
  if (!LICENSE.test(license)) {
    findings.push(
      lintWarning('license-unknown', 'license', 'is no SPDX expression such as Apache-2.0 or MIT OR GPL-2.0-only'),
    )
  }
  if (ready === undefined && (guest !== undefined || kind === 'router')) {
    const why = kind === 'router' ? 'its LAN could never be opened' : 'nobody can tell when the guest is up'
    findings.push(lintWarning('ready-missing', 'ready', `is not there: ${why}`))
  }
  if (kind === 'router' && ready !== undefined && ready.agent !== 'rules-loaded') {
    findings.push(lintError('ready-agent', 'ready.agent', 'a router is ready when its rules are loaded: rules-loaded'))
  }
  for (const [parameter, definition] of Object.entries(manifest.parameters)) {
    if (definition.type === 'string' && definition.pattern !== undefined) {
      findings.push(...patternFaults(definition.pattern, `parameters.${parameter}.pattern`))
    }
  }
  return findings
}

/** The manifest's schema knows JavaScript's syntax; values are matched by an engine that takes a part of it. */
function patternFaults(pattern: string, subject: string): readonly LintFinding[] {
  try {
    compilePattern(pattern)
    return []
  } catch (error) {
    return findingsOf(error, subject)
  }
}

function summaryFault(name: string, summary: string): string | undefined {
  if (summary.length > MAX_SUMMARY) return `is longer than ${MAX_SUMMARY} characters`
  if (summary.endsWith('.')) return 'ends in a full stop; it is no sentence'
  if (/^(?:an?|the) /i.test(summary)) return 'begins with an article'
  return summary.toLowerCase().startsWith(`${name} `) ? 'repeats the name of the package' : undefined
}

/** Against what a registry has. `together` are the names that are published with it. */
export function lintAgainstRegistry(
  manifest: Manifest,
  registry: RegistryView,
  together: readonly string[],
): readonly LintFinding[] {
  const { name, version } = manifest
  const lines = registry.index.entries.map(({ line }) => line)
  const findings: LintFinding[] = []
  if (!registry.root.publishers.some(({ patterns }) => patterns.some((one) => matchesNamePattern(one, name)))) {
    findings.push(lintError('name-unassigned', 'name', `no publisher of the registry may use ${name}`))
  }
  const own = lines.filter((line) => line.name === name)
  if (own.some((line) => comparePackageVersions(line, manifest) === 0)) {
    findings.push(lintError('version-published', 'version', `${version} is published already; give it a higher one`))
  } else if (own.some((line) => compareVersions(parseVersion(line.version), parseVersion(version)) > 0)) {
    findings.push(
      lintWarning('version-lower', 'version', 'a higher one is published: nobody would be offered this one'),
    )
  }
  const known = new Set([...together, ...lines.flatMap((line) => [line.name, ...line.provides.map(firstName)])])
  for (const relation of manifest.depends) {
    if (parseRelation(relation).alternatives.some((one) => known.has(one.name))) continue
    findings.push(lintWarning('depends-unknown', 'depends', `neither the registry nor these folders have ${relation}`))
  }
  return findings
}

function firstName(relation: string): string {
  return parseRelation(relation).alternatives[0]?.name ?? ''
}
