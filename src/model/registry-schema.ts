/**
 * Parsing and writing of the documents in `registry.ts`: canonical JSON, bounded, unknown members refused (those named
 * `x-…` ignored). `parse(format(x))` equals `x`, and the bytes are the same every time. All of it is hostile input.
 */
import { z } from 'zod'
import { type ErrorCode, VmpkgError } from '../errors.ts'
import { toBase64 } from './base64.ts'
import { canonicalJsonBytes, parseCanonicalJson } from './canonical-json.ts'
import type { Fingerprint } from './fingerprint.ts'
import { arch, transport } from './line-schema.ts'
import { isNamePattern } from './name.ts'
import type { Channels, Envelope, EnvelopeFile, IndexEntry, Root, SignedFile, Submission } from './registry.ts'
import {
  bytes,
  count,
  digested,
  fingerprint,
  formatTime,
  oneLine,
  packageName,
  parseShape,
  sha256Text,
  time,
  version,
  withoutExtensions,
} from './shape.ts'

/** Bytes of each file, signatures included. */
export const FILE_LIMITS = {
  /** Payload and signatures. */
  envelope: 4 * 1024,
  /** With the root files that it carries. */
  envelopeFile: 4 * 1024 * 1024,
  root: 1024 * 1024,
  channels: 4 * 1024 * 1024,
  submission: 4 * 1024 * 1024,
} as const

const MAX_SIGNATURE_BYTES = 4096
const MAX_CERTIFICATE_BYTES = 64 * 1024
const MAX_INDEX_ENTRY_BYTES = 256 * 1024

const registryId = z.string().regex(/^[0-9a-f]{32}$/, 'not 32 hexadecimal digits')
const serial = count.min(1)

const signatures = z
  .array(
    z.strictObject({
      role: z.enum(['root', 'timestamp', 'promoter', 'publisher']),
      fingerprint,
      signature: bytes.refine((packet) => packet.length <= MAX_SIGNATURE_BYTES, 'too long'),
    }),
  )
  .min(1)
  .max(64)

const signedFile: z.ZodType<SignedFile> = z.strictObject({ payload: bytes, signatures })

const rootNumber = z.string().regex(/^[1-9][0-9]{0,15}$/, 'not the number of a root file')
const envelopeFile = z.strictObject({
  payload: bytes,
  signatures,
  roots: z.record(rootNumber, bytes).exactOptional(),
})

const envelope: z.ZodType<Envelope> = z
  .strictObject({
    registryId,
    version: serial,
    issuedAt: time,
    expiresAt: time,
    root: digested.extend({ version: serial }),
    index: digested.extend({ unpackedSize: count, count }),
    channels: digested.extend({ version: serial }),
    previous: z.strictObject({ version: serial, sha256: sha256Text }).exactOptional(),
    message: oneLine.exactOptional(),
  })
  .refine((one) => one.issuedAt < one.expiresAt, { path: ['expiresAt'], message: 'not after issuedAt' })
  .refine((one) => (one.previous?.version ?? 0) === one.version - 1, {
    path: ['previous'],
    message: 'not the version before',
  })

const roleKeys = z
  .strictObject({ keys: z.array(fingerprint).min(1).max(64), threshold: z.int().min(1).max(64) })
  .refine((role) => new Set(role.keys).size === role.keys.length, { path: ['keys'], message: 'a key appears twice' })
  .refine((role) => role.threshold <= role.keys.length, { path: ['threshold'], message: 'more than there are keys' })

const grant = roleKeys.safeExtend({
  patterns: z.array(z.string().refine(isNamePattern, 'not a name pattern such as router-*')).min(1).max(256),
})

const root: z.ZodType<Root> = z
  .strictObject({
    registryId,
    version: serial,
    issuedAt: time,
    expiresAt: time,
    certificates: z
      .record(
        fingerprint,
        bytes.refine((one) => one.length <= MAX_CERTIFICATE_BYTES, 'too long'),
      )
      .transform((record) => new Map(Object.entries(record) as [Fingerprint, Uint8Array][])),
    root: roleKeys,
    timestamp: roleKeys,
    promoter: roleKeys,
    publishers: z.array(grant).max(1024),
  })
  .refine((one) => one.issuedAt < one.expiresAt, { path: ['expiresAt'], message: 'not after issuedAt' })
  .refine((one) => sameSet(one.certificates.keys(), allKeys(one)), {
    path: ['certificates'],
    message: 'not exactly the certificates of the keys that the roles name',
  })

const channels: z.ZodType<Channels> = z
  .strictObject({
    registryId,
    version: serial,
    entries: z
      .array(
        z.strictObject({
          name: packageName,
          version,
          arch,
          channel: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
          yanked: oneLine.exactOptional(),
          phasedPercent: z.int().min(0).max(100).exactOptional(),
        }),
      )
      .max(100_000),
  })
  .refine(
    ({ entries }) => new Set(entries.map((one) => `${one.name} ${one.version} ${one.arch}`)).size === entries.length,
    {
      path: ['entries'],
      message: 'a package version appears twice',
    },
  )

const indexEntry: z.ZodType<IndexEntry> = z.strictObject({ line: bytes, signatures, transport })
const submission: z.ZodType<Submission> = z.strictObject({ registryId, entries: z.array(indexEntry).min(1).max(1024) })

/** @throws {VmpkgError} the given code */
export function parseSignedFile(file: Uint8Array, code: ErrorCode, subject: string, maxBytes: number): SignedFile {
  return parseShape(signedFile, parseCanonicalJson(file, { code, subject, maxBytes }), { code, subject })
}

export function formatSignedFile(file: SignedFile): Uint8Array {
  return canonicalJsonBytes({ payload: toBase64(file.payload), signatures: spellSignatures(file.signatures) })
}

/** `envelope.json`, signatures not asked. @throws {VmpkgError} `ENVELOPE_INVALID` */
export function parseEnvelopeFile(file: Uint8Array): EnvelopeFile {
  const failure = { code: 'ENVELOPE_INVALID', subject: 'The envelope' } as const
  const value = parseCanonicalJson(file, { ...failure, maxBytes: FILE_LIMITS.envelopeFile })
  const { roots = {}, ...signed } = parseShape(envelopeFile, value, failure)
  if (formatSignedFile(signed).length > FILE_LIMITS.envelope) {
    throw new VmpkgError('ENVELOPE_INVALID', `The envelope is larger than ${FILE_LIMITS.envelope} bytes`)
  }
  return { ...signed, roots: new Map(Object.entries(roots).map(([number, one]) => [Number(number), one] as const)) }
}

/** Without root files it is any other signed file. */
export function formatEnvelopeFile({ payload, signatures: signed, roots }: EnvelopeFile): Uint8Array {
  if (roots.size === 0) return formatSignedFile({ payload, signatures: signed })
  return canonicalJsonBytes({
    payload: toBase64(payload),
    signatures: spellSignatures(signed),
    roots: Object.fromEntries([...roots].map(([number, file]) => [String(number), toBase64(file)])),
  })
}

/** @throws {VmpkgError} `ENVELOPE_INVALID` */
export function parseEnvelope(payload: Uint8Array): Envelope {
  return parsePayload(envelope, payload, 'ENVELOPE_INVALID', 'The envelope', FILE_LIMITS.envelope)
}

export function formatEnvelope(value: Envelope): Uint8Array {
  return canonicalJsonBytes({ ...value, issuedAt: formatTime(value.issuedAt), expiresAt: formatTime(value.expiresAt) })
}

/** @throws {VmpkgError} `ROOT_INVALID` */
export function parseRoot(payload: Uint8Array): Root {
  return parsePayload(root, payload, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root)
}

export function formatRoot(value: Root): Uint8Array {
  return canonicalJsonBytes({
    ...value,
    issuedAt: formatTime(value.issuedAt),
    expiresAt: formatTime(value.expiresAt),
    certificates: Object.fromEntries([...value.certificates].map(([key, one]) => [key, toBase64(one)])),
  })
}

/** @throws {VmpkgError} `CHANNELS_INVALID` */
export function parseChannels(payload: Uint8Array): Channels {
  return parsePayload(channels, payload, 'CHANNELS_INVALID', 'The channels file', FILE_LIMITS.channels)
}

export function formatChannels(value: Channels): Uint8Array {
  return canonicalJsonBytes(value)
}

/** One line of the unpacked index, without its newline. @throws {VmpkgError} `INDEX_INVALID` */
export function parseIndexEntry(text: Uint8Array): IndexEntry {
  const failure = { code: 'INDEX_INVALID', subject: 'A line of the index' } as const
  return parseShape(indexEntry, parseCanonicalJson(text, { ...failure, maxBytes: MAX_INDEX_ENTRY_BYTES }), failure)
}

export function formatIndexEntry(entry: IndexEntry): Uint8Array {
  return canonicalJsonBytes(spellEntry(entry))
}

/** @throws {VmpkgError} `REGISTRY_INVALID` */
export function parseSubmission(payload: Uint8Array): Submission {
  return parsePayload(submission, payload, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission)
}

export function formatSubmission(value: Submission): Uint8Array {
  return canonicalJsonBytes({ ...value, entries: value.entries.map(spellEntry) })
}

function parsePayload<T>(
  schema: z.ZodType<T>,
  payload: Uint8Array,
  code: ErrorCode,
  subject: string,
  maxBytes: number,
): T {
  const value = parseCanonicalJson(payload, { code, subject, maxBytes })
  return parseShape(schema, withoutExtensions(value), { code, subject })
}

function spellEntry(entry: IndexEntry): object {
  return {
    line: toBase64(entry.line),
    signatures: spellSignatures(entry.signatures),
    transport: entry.transport,
  }
}

function spellSignatures(list: SignedFile['signatures']): readonly object[] {
  return list.map((one) => ({ ...one, signature: toBase64(one.signature) }))
}

function allKeys(one: Root): readonly Fingerprint[] {
  return [one.root, one.timestamp, one.promoter, ...one.publishers].flatMap(({ keys }) => keys)
}

function sameSet(a: Iterable<string>, b: Iterable<string>): boolean {
  const [setA, setB] = [new Set(a), new Set(b)]
  return setA.size === setB.size && [...setA].every((one) => setB.has(one))
}
