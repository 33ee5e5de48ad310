/**
 * Redirect policy (threats M16, M17, D12): at most five, never from https to http, to another origin only for
 * content-addressed files, and credentials stay at the origin they were meant for. Pure.
 */
import { VmpkgError } from '../errors.ts'
import { showUrl } from './locate.ts'

export const MAX_REDIRECTS = 5

export interface RedirectRules {
  /** Where the chain of requests began. */
  readonly first: URL
  /** The file is named by its digest, so that it does not matter who serves it. */
  readonly mayLeaveOrigin: boolean
}

/**
 * The address that a `Location` header leads to.
 *
 * @throws {VmpkgError} `REDIRECT_REFUSED`
 */
export function followRedirect(from: URL, location: string | undefined, rules: RedirectRules): URL {
  const refuse = (fact: string) =>
    new VmpkgError('REDIRECT_REFUSED', `${showUrl(from)} redirects ${fact}`, {
      hint: 'Ask whoever runs the mirror, or use the address of the registry itself.',
    })
  if (location === undefined || location === '') throw refuse('without saying where to')
  if (!/^[!-~]+$/.test(location)) {
    throw refuse('to an address with control characters or blanks')
  }
  if (location.length > 4096 || !URL.canParse(location, from.href)) throw refuse('to something that is no address')
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw refuse(`to ${to.protocol.slice(0, 20)}, which is not the web`)
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refuse('from https down to http')
  if (to.username !== '' || to.password !== '') throw refuse('to an address with credentials')
  if (to.origin !== rules.first.origin && !rules.mayLeaveOrigin) throw refuse(`to another origin, ${to.origin}`)
  return to
}
