/**
 * Versions out of a vendor's folder listing (an HTML page of links). The page is unsigned: what it names is a suggestion
 * of what to ask for, and decides nothing. Pure.
 */
import { VmpkgError } from '../errors.ts'
import { sortVersions } from './reference.ts'

const MAX_CHARACTERS = 4 * 1024 * 1024
const MAX_LINKS = 20_000
const HREF = /\bhref="([^"<>\s]{1,200})"/gi

/**
 * @param pattern one group, for the version; it has to match a whole link
 * @returns oldest first
 * @throws {VmpkgError} `UPSTREAM_INVALID`
 */
export function parseListing(page: string, pattern: string): readonly string[] {
  if (page.length > MAX_CHARACTERS) throw invalid('is larger than 4 MiB')
  const expression = new RegExp(`^(?:\\./)?${pattern}$`)
  const found = new Set<string>()
  let links = 0
  for (const [, link = ''] of page.matchAll(HREF)) {
    if (++links > MAX_LINKS) throw invalid(`has more than ${MAX_LINKS} links`)
    const version = expression.exec(link)?.[1]
    if (version !== undefined) found.add(version)
  }
  return sortVersions(found)
}

function invalid(problem: string): VmpkgError {
  return new VmpkgError('UPSTREAM_INVALID', `The vendor's list of versions ${problem}`, {
    hint: 'vmpkg upstream list without --online shows what is known here.',
  })
}
