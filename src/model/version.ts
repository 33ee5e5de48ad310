/**
 * Debian package versions, `[epoch:]upstream[-revision]`, and their order.
 *
 * Source: Debian Policy 5.6.12. Test oracle: `dpkg --compare-versions`. Versions come from hostile indexes.
 */
import { VmpkgError } from '../errors.ts'

/** A checked version. `1.0` and `1.0-0` differ in `text` yet compare equal. */
export interface Version {
  /** As the package states it. */
  readonly text: string
  /** 0 to 2^31 - 1; 0 where the text has none. */
  readonly epoch: number
  readonly upstream: string
  /** `'0'` where the text has none. */
  readonly revision: string
}

const MAX_EPOCH = 2 ** 31 - 1 // as in dpkg
const MAX_LENGTH = 128 // characters; not in Policy: bounds the work of comparing and the length of file names
const SHAPE = /^(?:(?<epoch>[0-9]{1,10}):)?(?<upstream>[0-9][A-Za-z0-9.+~:-]*?)(?:-(?<revision>[A-Za-z0-9.+~]+))?$/

/** @throws {VmpkgError} `VERSION_INVALID` */
export function parseVersion(text: string): Version {
  const groups = text.length > MAX_LENGTH ? undefined : SHAPE.exec(text)?.groups
  const { epoch = '0', upstream, revision = '0' } = groups ?? {}
  const strayColon = groups?.['epoch'] === undefined && upstream?.includes(':')
  const strayHyphen = groups?.['revision'] === undefined && upstream?.includes('-')
  if (upstream === undefined || Number(epoch) > MAX_EPOCH || strayColon || strayHyphen) {
    throw new VmpkgError('VERSION_INVALID', `Not a package version: ${JSON.stringify(text.slice(0, 80))}`, {
      hint: 'Write [epoch:]upstream[-revision] with upstream starting with a digit, as in 1:2.4~rc1-3.',
    })
  }
  return { text, epoch: Number(epoch), upstream, revision }
}

/** Negative where `a` is older than `b`, positive where it is newer, 0 where neither is. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || comparePart(a.upstream, b.upstream) || comparePart(a.revision, b.revision)
}

/** Words and numbers alternate, a word first: `1.0rc10` is '', 1, '.', 0, 'rc', 10. */
function comparePart(a: string, b: string): number {
  let [restA, restB] = [a, b]
  while (restA !== '' || restB !== '') {
    const [wordA, wordB] = [leadingWord(restA), leadingWord(restB)]
    const words = compareWords(wordA, wordB)
    if (words !== 0) return words
    restA = restA.slice(wordA.length)
    restB = restB.slice(wordB.length)
    const [numberA, numberB] = [leadingNumber(restA), leadingNumber(restB)]
    const numbers = compareNumbers(numberA, numberB)
    if (numbers !== 0) return numbers
    restA = restA.slice(numberA.length)
    restB = restB.slice(numberB.length)
  }
  return 0
}

function leadingWord(text: string): string {
  return /^[^0-9]*/.exec(text)?.[0] ?? ''
}

function leadingNumber(text: string): string {
  return /^[0-9]*/.exec(text)?.[0] ?? ''
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = weigh(a[i]) - weigh(b[i])
    if (order !== 0) return order
  }
  return 0
}

/** Digits of any length: the longer one is larger once leading zeros are gone. */
function compareNumbers(a: string, b: string): number {
  const [digitsA, digitsB] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  if (digitsA.length !== digitsB.length) return digitsA.length - digitsB.length
  return digitsA < digitsB ? -1 : digitsA > digitsB ? 1 : 0
}

/** `~` sorts before the end of a word, the end before letters, letters before all else. */
function weigh(character: string | undefined): number {
  if (character === undefined) return 0
  if (character === '~') return -1
  return character.charCodeAt(0) + (/[A-Za-z]/.test(character) ? 0 : 256)
}
