/** Ways in which an answer can be wrong. Each takes the honest frames of a few calls and gives back what is sent. */

import { i32, maybe, string } from '../../src/libvirt/codecs.ts'
import { PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { domainIdentity, named } from '../../src/libvirt/references.ts'
import { framed } from './fake-libvirt.ts'
import { words } from './hostile-daemon.ts'
import type { Random } from './random.ts'
import { shapesOf, type Wire, wireOf } from './wire-values.ts'

/** A frame on its way to the client, and where its words of counts are. */
export interface Frame {
  /** Which of the calls it answers: it goes out on that call's connection. */
  readonly call: number
  readonly bytes: Buffer
  readonly counts: readonly number[]
}

type Mutation = (random: Random, frames: readonly Frame[]) => Frame[]

const HEADER_BYTES = 28
/** Places of the words of a header. */
const HEADER = { length: 0, program: 4, version: 8, procedure: 12, type: 16, serial: 20, status: 24 } as const
const TYPES_WITH_DESCRIPTORS = [4, 5]
const COUNTS = [0, 1, 2, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff]
const LENGTHS = [0, 4, 27, 28, 29, 33_554_436, 33_554_437, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
const errorShapes = shapesOf({
  code: i32,
  domain: i32,
  message: maybe(string),
  level: i32,
  dom: maybe(domainIdentity),
  str1: maybe(string),
  str2: maybe(string),
  str3: maybe(string),
  int1: i32,
  int2: i32,
  net: maybe(named),
})

/** By name, for the figures. */
export const mutations: Readonly<Record<string, Mutation>> = {
  none: (_, frames) => [...frames],
  'bits flipped': one((random, { bytes }) => {
    // An answer without a payload gets its header damaged.
    const start = bytes.length === HEADER_BYTES ? HEADER.program : HEADER_BYTES
    for (let flips = 1 + random.below(8); flips > 0; flips--) {
      const at = start + random.below(bytes.length - start)
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at)
    }
    return bytes
  }),
  'header word': one((random, { bytes }) => {
    const at = random.pick(Object.values(HEADER).filter((place) => place !== HEADER.length))
    bytes.writeUInt32BE(random.pick([0, 1, 2, 3, 4, 5, 6, 7, ...Object.values(PROGRAM), 0xffff_ffff]), at)
    return bytes
  }),
  'frame length': one((random, { bytes }) => {
    const near = bytes.length + random.pick([-4, -1, 1, 4])
    bytes.writeUInt32BE(random.chance(0.5) ? near : random.pick(LENGTHS), 0)
    return bytes
  }),
  'count or presence': one((random, { bytes, counts }) => {
    if (counts.length === 0) return relength(Buffer.concat([bytes, words(random.pick(COUNTS))]))
    const at = HEADER_BYTES + random.pick(counts)
    const was = bytes.readUInt32BE(at)
    bytes.writeUInt32BE(random.chance(0.4) ? (was + random.pick([-1, 1])) >>> 0 : random.pick(COUNTS), at)
    return bytes
  }),
  truncated: one((random, { bytes }) => relength(bytes.subarray(0, HEADER_BYTES + random.below(bytes.length - 27)))),
  'cut off': one((random, { bytes }) => bytes.subarray(0, random.below(bytes.length))),
  'bytes inserted': one((random, { bytes }) => {
    const at = HEADER_BYTES + random.below(bytes.length - 27)
    return relength(Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(12)), bytes.subarray(at)]))
  }),
  doubled: (random, frames) => [...frames, random.pick(frames)],
  'serials exchanged': (random, frames) => {
    const serials = random.shuffle(frames.map(({ bytes }) => bytes.readUInt32BE(HEADER.serial)))
    return frames.map((frame, i) => {
      const bytes = Buffer.from(frame.bytes)
      bytes.writeUInt32BE(serials[i] ?? 0, HEADER.serial)
      return { ...frame, bytes }
    })
  },
  'order changed': (random, frames) => random.shuffle(frames),
  'with descriptors': one((random, { bytes }) => {
    bytes.writeUInt32BE(random.pick(TYPES_WITH_DESCRIPTORS), HEADER.type)
    return relength(Buffer.concat([bytes.subarray(0, HEADER_BYTES), words(random.pick(COUNTS)), bytes.subarray(28)]))
  }),
  'stray frame': (random, frames) => {
    const { call } = random.pick(frames)
    const strayed = { call, bytes: stray(random), counts: [] }
    return random.chance(0.5) ? [strayed, ...frames] : [...frames, strayed]
  },
  'hostile error': one((random, { bytes }) => asError(bytes, wireOf(random, errorShapes))),
  'mutated error': one((random, { bytes }) => {
    const wire = wireOf(random, errorShapes)
    wire.bytes.writeUInt32BE(random.pick(COUNTS), random.pick(wire.counts))
    return asError(bytes, wire)
  }),
  noise: one((random) => random.bytes(random.below(200))),
}

/** Cuts bytes into random pieces. */
export function pieces(random: Random, bytes: Buffer): Buffer[] {
  const result: Buffer[] = []
  for (let start = 0; start < bytes.length; ) {
    const length = 1 + random.below(random.pick([1, 4, 40, 4000]))
    result.push(bytes.subarray(start, start + length))
    start += length
  }
  return result
}

/** Changes one of the frames, on a copy of its bytes. */
function one(change: (random: Random, frame: Frame) => Buffer): Mutation {
  return (random, frames) => {
    const chosen = random.below(frames.length)
    return frames.map((frame, i) =>
      i === chosen ? { ...frame, bytes: change(random, { ...frame, bytes: Buffer.from(frame.bytes) }) } : frame,
    )
  }
}

function relength(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(bytes.length, 0)
  return bytes
}

function asError(frame: Buffer, { bytes }: Wire): Buffer {
  const whole = relength(Buffer.concat([frame.subarray(0, HEADER_BYTES), bytes]))
  whole.writeUInt32BE(STATUS.error, HEADER.status)
  return whole
}

/** A frame that nobody waits for. */
function stray(random: Random): Buffer {
  const serial = random.pick([0, 1, 2, 3, 1000, 0xffff_ffff])
  const header = {
    program: random.pick(Object.values(PROGRAM)),
    procedure: random.pick([1, 6, 107, 209, 318, 333, 377, 453, 99_999]),
    type: random.pick([...Object.values(TYPE), 4, 5, 7]),
    status: random.pick([0, 1, 2, 3]),
    serial,
  }
  return framed(header, random.bytes(random.pick([0, 3, 4, 8, 12, 60])))
}
