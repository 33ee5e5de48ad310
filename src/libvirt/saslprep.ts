/**
 * SASLprep (RFC 4013) of user names and passwords, as SCRAM demands it: blanks become spaces, invisible characters go,
 * the rest is brought to the form NFKC; control characters, private ones and mixed directions are refused.
 * Code points that Unicode 3.2 did not know are taken, as for a query.
 */
import { refuse } from './error.ts'

/** RFC 3454, C.1.2 without U+200B, which B.1 removes. */
const BLANK = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu
/** B.1 */
const INVISIBLE = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu
/** C.2.1 to C.9 as far as NFKC leaves them; private use, surrogates and noncharacters by their Unicode category. */
const PROHIBITED =
  /[\0-\x1f\x7f-\x9f\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u2061-\u2063\u206a-\u206f\u2ff0-\u2ffb\ufff9-\ufffd\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}]/u
/** D.1: what is written from right to left. */
const RIGHT_TO_LEFT =
  /[\u05be\u05c0\u05c3\u05d0-\u05ea\u05f0-\u05f4\u061b\u061f\u0621-\u063a\u0640-\u064a\u066d-\u066f\u0671-\u06d5\u06dd\u06e5\u06e6\u06fa-\u06fe\u0700-\u070d\u0710\u0712-\u072c\u0780-\u07a5\u07b1\ufb1d\ufb1f-\ufb28\ufb2a-\ufb36\ufb38-\ufb3c\ufb3e\ufb40\ufb41\ufb43\ufb44\ufb46-\ufbb1\ufbd3-\ufd3d\ufd50-\ufd8f\ufd92-\ufdc7\ufdf0-\ufdfc\ufe70-\ufe74\ufe76-\ufefc]/u

/**
 * @param what `user name` or `password`: the value itself is in no message.
 * @throws {LibvirtError} `invalidArg`
 */
export function saslprep(text: string, what: string): string {
  const bad = (why: string) => refuse('invalidArg', `the ${what} ${why}, which SASLprep (RFC 4013) forbids`)
  if (!text.isWellFormed()) throw bad('holds half a character')
  const prepared = text.replace(BLANK, ' ').replace(INVISIBLE, '').normalize('NFKC')
  if (PROHIBITED.test(prepared)) throw bad('holds a control character or one without a meaning')
  if (prepared === '') throw bad('is empty')
  if (!RIGHT_TO_LEFT.test(prepared)) return prepared
  const characters = Array.from(prepared)
  const isMixed = characters.some((one) => /\p{L}/u.test(one) && !RIGHT_TO_LEFT.test(one))
  const isBetween = [characters[0], characters.at(-1)].every((one) => one !== undefined && RIGHT_TO_LEFT.test(one))
  if (isMixed || !isBetween) throw bad('mixes directions of writing')
  return prepared
}
