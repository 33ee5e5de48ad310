/**
 * Names of packages and of domains, and the patterns that give a publisher its share of the names (formats 2.3).
 *
 * A package name is also the name of its first domain, a folder and a host name, so one strict pattern serves all:
 * a host label of RFC 1123 in lower case, without doubled hyphens. Names come from hostile indexes and archives.
 */
import { VmpkgError } from '../errors.ts'

/** Leaves room for the `-1`, `-2` … of further instances within the 63 characters of a host label. */
const MAX_PACKAGE_NAME = 48
const MAX_LABEL = 63
const PACKAGE_NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/
const PATTERN = /^(?:\*|[a-z][a-z0-9-]*\*?)$/

export function isPackageName(text: string): boolean {
  return text.length >= 2 && text.length <= MAX_PACKAGE_NAME && PACKAGE_NAME.test(text)
}

/** @throws {VmpkgError} `NAME_INVALID` */
export function parsePackageName(text: string): string {
  if (isPackageName(text)) return text
  throw new VmpkgError('NAME_INVALID', `Not a package name: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: `Use 2 to ${MAX_PACKAGE_NAME} lower-case letters, digits and single hyphens, starting with a letter.`,
  })
}

/** A domain or host name: one RFC 1123 label in lower case. */
export function isDomainName(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text)
}

/** @throws {VmpkgError} `NAME_INVALID` */
export function parseDomainName(text: string): string {
  if (isDomainName(text)) return text
  throw new VmpkgError('NAME_INVALID', `Not a name for a machine: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: `Use at most ${MAX_LABEL} lower-case letters, digits and hyphens, with a letter or digit at both ends.`,
  })
}

/** True for a package name, or the beginning of one followed by `*`, or `*` alone. */
export function isNamePattern(text: string): boolean {
  return text.length <= MAX_PACKAGE_NAME && PATTERN.test(text)
}

/** True where `name` is within `pattern`; a pattern without `*` means exactly that name. */
export function matchesNamePattern(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
