/** Changes of an input as a fuzzer makes them: bits, bytes, lengths, pieces of other inputs, words of the format. */
import { canonicalJsonBytes } from '../../src/model/canonical-json.ts'
import type { Random } from '../support/random.ts'

const BYTES = [0, 1, 0x20, 0x22, 0x2e, 0x2f, 0x7f, 0x80, 0xc0, 0xff]
const WORDS = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
const MAX_BYTES = 256 * 1024

type Change = (random: Random, input: Buffer, others: readonly Uint8Array[], words: readonly string[]) => Buffer

const place = (random: Random, input: Uint8Array): number => random.below(input.length + 1)

function replace(input: Buffer, start: number, end: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, start), by, input.subarray(Math.max(start, end))])
}

const CHANGES: readonly Change[] = [
  (random, input) => {
    if (input.length > 0) {
      const at = random.below(input.length)
      input[at] = (input[at] ?? 0) ^ (1 << random.below(8))
    }
    return input
  },
  (random, input) => {
    if (input.length > 0)
      input[random.below(input.length)] = random.chance(0.5) ? random.pick(BYTES) : random.below(256)
    return input
  },
  (random, input) => {
    const width = random.pick([2, 4, 8])
    if (input.length < width) return input
    const bytes = Buffer.alloc(8)
    if (random.chance(0.5)) bytes.writeBigUInt64BE(BigInt(random.pick(WORDS)))
    else bytes.writeBigUInt64LE(BigInt(random.pick(WORDS)))
    const at = random.below(input.length - width + 1)
    const from = random.chance(0.5) ? 8 - width : 0
    return replace(input, at, at + width, bytes.subarray(from, from + width))
  },
  (random, input) => {
    const start = place(random, input)
    return replace(input, start, start + 1 + random.below(random.pick([2, 16, 400])), Buffer.alloc(0))
  },
  (random, input) => replace(input, place(random, input), 0, random.bytes(1 + random.below(random.pick([2, 16, 100])))),
  (random, input) => {
    const start = place(random, input)
    const piece = Buffer.from(input.subarray(start, start + 1 + random.below(random.pick([4, 40, 400]))))
    const times = 1 + random.below(random.pick([2, 4, 200]))
    return replace(input, place(random, input), 0, Buffer.concat(Array.from({ length: times }, () => piece)))
  },
  (random, input, others) => {
    const other = random.pick(others)
    const start = place(random, other)
    const at = place(random, input)
    return replace(
      input,
      at,
      at + random.below(60),
      other.subarray(start, start + random.below(random.pick([8, 80, 2000]))),
    )
  },
  (random, input, _, words) => {
    if (words.length === 0) return input
    const at = place(random, input)
    return replace(
      input,
      at,
      at + (random.chance(0.5) ? 0 : random.below(20)),
      Buffer.from(random.pick(words), 'latin1'),
    )
  },
  (random, input) => input.subarray(0, place(random, input)),
]

/** A JSON document with one value changed, in our canonical spelling: what bit flips hardly ever reach. */
function mutateJson(random: Random, input: Uint8Array): Buffer | undefined {
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(input).toString('utf8'))
  } catch {
    return undefined // another kind of input, or one that is broken already
  }
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const walk = (value: unknown): void => {
    if (value === null || typeof value !== 'object' || places.length > 5000) return
    const holder = value as Record<string, unknown>
    for (const key of Object.keys(holder)) {
      places.push({ holder, key })
      walk(holder[key])
    }
  }
  walk(document)
  for (let count = 1 + random.below(3); count > 0 && places.length > 0; count--) {
    const { holder, key } = random.pick(places)
    const action = random.below(5)
    if (action === 0) delete holder[key]
    else if (action === 1) holder[random.pick(['x-a', 'a', `${key}2`, 'constructor'])] = holder[key]
    else if (action === 2) holder[key] = random.pick(places).holder
    else if (action === 3 && typeof holder[key] === 'string') holder[key] = mutateText(random, holder[key])
    else holder[key] = random.pick(VALUES)
  }
  try {
    return Buffer.from(canonicalJsonBytes(document))
  } catch {
    return undefined // a circle, or a number that has no spelling
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  1,
  -1,
  2 ** 53,
  1.5,
  '',
  'a',
  '0'.repeat(64),
  [],
  {},
  [null],
  '2026-01-31T00:00:00Z',
]

function mutateText(random: Random, text: string): string {
  const at = random.below(text.length + 1)
  const added = random.pick(['', '0', 'A', '/', '..', '\u0000', '\u202e', '\ud800', '=', 'é', text])
  return text.slice(0, at) + added + text.slice(at + random.below(3))
}

export function mutate(
  random: Random,
  input: Uint8Array,
  others: readonly Uint8Array[],
  words: readonly string[],
): Buffer {
  let changed: Buffer = Buffer.from(input)
  const json = random.chance(0.5) ? mutateJson(random, input) : undefined
  if (json !== undefined && random.chance(0.7)) return json.subarray(0, MAX_BYTES)
  changed = json ?? changed
  for (let count = 1 + random.below(random.pick([1, 3, 8])); count > 0; count--) {
    changed = Buffer.from(random.pick(CHANGES)(random, changed, others, words))
  }
  return changed.subarray(0, MAX_BYTES)
}
