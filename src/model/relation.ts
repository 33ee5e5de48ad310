/**
 * Relations between packages as Debian writes them: `router-base (>= 1.2) | i2p` (formats 3.3).
 *
 * Source: Debian Policy 7.1, without architecture and build-profile qualifiers. One `Relation` is one conjunct; a
 * package lists several. Relations come from hostile indexes.
 */
import { VmpkgError } from '../errors.ts'
import { isPackageName } from './name.ts'
import { compareVersions, parseVersion, type Version } from './version.ts'

type Operator = '<<' | '<=' | '=' | '>=' | '>>'

export interface Constraint {
  readonly operator: Operator
  readonly version: Version
}

export interface Alternative {
  readonly name: string
  readonly constraint?: Constraint
}

/** At least one alternative, in order of preference. */
export interface Relation {
  readonly alternatives: readonly Alternative[]
}

const MAX_LENGTH = 1024
const MAX_ALTERNATIVES = 16
const SHAPE = /^(?<name>[a-z0-9-]+)(?: ?\( ?(?<operator><<|<=|=|>=|>>) ?(?<version>[^()\s]+) ?\))?$/

const HOLDS: Readonly<Record<Operator, (order: number) => boolean>> = {
  '<<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '=': (order) => order === 0,
  '>=': (order) => order >= 0,
  '>>': (order) => order > 0,
}

/** @throws {VmpkgError} `RELATION_INVALID` */
export function parseRelation(text: string): Relation {
  const parts = text.length > MAX_LENGTH ? [] : text.split('|')
  if (parts.length === 0 || parts.length > MAX_ALTERNATIVES) throw invalid(text)
  return { alternatives: parts.map((part) => parseAlternative(part.trim(), text)) }
}

/** The canonical spelling: one space around `|` and before `(`. */
export function formatRelation(relation: Relation): string {
  return relation.alternatives.map(formatAlternative).join(' | ')
}

/** True where a package of that version fulfils the constraint; no constraint is always fulfilled. */
export function satisfies(constraint: Constraint | undefined, version: Version): boolean {
  if (constraint === undefined) return true
  return HOLDS[constraint.operator](compareVersions(version, constraint.version))
}

/** True where the named package of that version fulfils one of the alternatives. */
export function isSatisfiedBy(relation: Relation, name: string, version: Version): boolean {
  return relation.alternatives.some((one) => one.name === name && satisfies(one.constraint, version))
}

function parseAlternative(part: string, whole: string): Alternative {
  const { name, operator, version } = SHAPE.exec(part)?.groups ?? {}
  if (name === undefined || !isPackageName(name)) throw invalid(whole)
  if (operator === undefined || version === undefined) return { name }
  try {
    return { name, constraint: { operator: operator as Operator, version: parseVersion(version) } }
  } catch (error) {
    throw invalid(whole, error)
  }
}

function formatAlternative({ name, constraint }: Alternative): string {
  return constraint === undefined ? name : `${name} (${constraint.operator} ${constraint.version.text})`
}

function invalid(text: string, cause?: unknown): VmpkgError {
  return new VmpkgError('RELATION_INVALID', `Not a relation: ${JSON.stringify(text.slice(0, 120))}`, {
    hint: 'Write package names joined by |, each with an optional version, as in router-base (>= 1.2) | i2p.',
    cause,
  })
}
