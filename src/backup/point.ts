/**
 * The two documents of a backup: what anybody may read of it (`backup.json`, signed), and its contents (`contents`, which
 * the first names by digest, encrypted where the backup is): definition, small files, and for each disk the digests of its
 * chunks. Everything read here is hostile until the signature and the digest say otherwise. docs/backup.md has the format.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { canonicalJsonBytes, parseCanonicalJson } from '../model/canonical-json.ts'
import { isDomainName } from '../model/name.ts'
import {
  bytes as base64,
  count,
  digested,
  fingerprint,
  formatTime,
  oneLine,
  parseShape,
  sha256Text,
  time,
} from '../model/shape.ts'

/** Disks are cut at multiples of this. */
export const CHUNK_BYTES = 256 * 1024
export const DIGEST_BYTES = 32
/** Of one entry of a pack's table: digest, offset and length in the pack. */
export const PACK_ENTRY_BYTES = DIGEST_BYTES + 8

export const POINT_LIMITS = {
  point: 16 * 1024 * 1024,
  /** Unpacked. Some 70 bytes for each chunk: disks of 1 TiB. */
  contents: 480 * 1024 * 1024,
  signature: 4096,
  certificate: 64 * 1024,
  /** A pack is closed when it has this much; the last chunk may go over it. */
  pack: 16 * 1024 * 1024,
  packFile: 24 * 1024 * 1024,
  /** A configuration medium, UEFI variables. */
  smallFile: 64 * 1024 * 1024,
}

/** `20261126T091037Z`, which sorts by time. */
const POINT_NAME = /^\d{8}T\d{6}Z$/

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const target = z.string().regex(/^[a-z0-9-]{1,32}$/)
const machineName = z.string().refine(isDomainName, 'not a name of a machine')
const binary = base64.transform((found) => Buffer.from(found.buffer, found.byteOffset, found.length))

const pointSchema = z.strictObject({
  format: z.literal('vmpkg backup 1'),
  machine: machineName,
  uuid,
  createdAt: time,
  kind: z.enum(['full', 'incremental']),
  /** Of an incremental one: the backup since which the changes were read. All that it needs is in the folder itself. */
  since: z.string().regex(POINT_NAME).optional(),
  /** `stopped`: nobody wrote. `frozen`: the guest's agent held its file systems still. `crash`: as after a power cut. */
  consistency: z.enum(['stopped', 'frozen', 'crash']),
  package: z.strictObject({ name: oneLine, version: oneLine }),
  disks: z.array(z.strictObject({ target, size: count })).max(64),
  /** What was read of the disks, and what of it was new in the folder, packed. */
  readBytes: count,
  addedBytes: count,
  encryptedTo: z.array(fingerprint).max(32),
  contents: digested,
  packs: z.array(digested).max(200_000),
  signer: fingerprint,
})

const contentsSchema = z.strictObject({
  xml: z.string().max(4 * 1024 * 1024),
  autostart: z.boolean(),
  chunkBytes: z.literal(CHUNK_BYTES),
  disks: z
    .array(
      z.strictObject({
        /** `vda`, `kernel`, `initrd`. */
        target,
        kind: z.enum(['disk', 'boot']),
        /** As the definition names it. */
        path: z.string().max(4096),
        format: z.enum(['raw', 'qcow2']),
        size: count,
        /** Of the whole file, where it is an image of the store, or the base below, where one is. */
        image: sha256Text.optional(),
        base: sha256Text.optional(),
        chunks: binary,
      }),
    )
    .max(72),
  files: z
    .array(z.strictObject({ role: z.enum(['medium', 'nvram']), path: z.string().max(4096), bytes: binary }))
    .max(8),
  /** In the order of the point's packs. */
  packs: z.array(z.strictObject({ sha256: sha256Text, entries: binary })).max(200_000),
})

export type Point = z.infer<typeof pointSchema>
export type Contents = z.infer<typeof contentsSchema>
export type StoredDisk = Contents['disks'][number]
export type PackTable = Contents['packs'][number]

export function isPointName(text: string): boolean {
  return POINT_NAME.test(text)
}

export function pointName(at: Date): string {
  return at
    .toISOString()
    .replace(/\.\d{3}/, '')
    .replaceAll(/[-:]/g, '')
}

export function formatPoint(point: Point): Uint8Array {
  return canonicalJsonBytes({ ...point, createdAt: formatTime(point.createdAt) })
}

/** @throws {VmpkgError} `BACKUP_INVALID` */
export function parsePoint(bytes: Uint8Array, subject: string): Point {
  const limits = { code: 'BACKUP_INVALID', subject, maxBytes: POINT_LIMITS.point } as const
  return parseShape(pointSchema, parseCanonicalJson(bytes, limits), { code: 'BACKUP_INVALID', subject })
}

export function formatContents(contents: Contents): Uint8Array {
  const { disks, files, packs, ...rest } = contents
  return Buffer.from(
    JSON.stringify({
      ...rest,
      disks: disks.map((disk) => ({ ...disk, chunks: disk.chunks.toString('base64') })),
      files: files.map((file) => ({ ...file, bytes: file.bytes.toString('base64') })),
      packs: packs.map((pack) => ({ ...pack, entries: pack.entries.toString('base64') })),
    }),
  )
}

/** @throws {VmpkgError} `BACKUP_INVALID` */
export function parseContents(bytes: Uint8Array, subject: string): Contents {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new VmpkgError('BACKUP_INVALID', `${subject} is no JSON`, { cause })
  }
  const contents = parseShape(contentsSchema, value, { code: 'BACKUP_INVALID', subject })
  for (const { target: name, size, chunks } of contents.disks) {
    if (chunks.length === chunkCount(size) * DIGEST_BYTES) continue
    throw new VmpkgError('BACKUP_INVALID', `${subject} does not name all chunks of ${name}`)
  }
  for (const { entries } of contents.packs) {
    if (entries.length % PACK_ENTRY_BYTES === 0) continue
    throw new VmpkgError('BACKUP_INVALID', `${subject} has half an entry of a pack`)
  }
  return contents
}

export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK_BYTES)
}

/** Bytes of one chunk of a disk: the last one may be shorter. */
export function chunkLength(size: number, chunk: number): number {
  return Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES)
}

/** Hexadecimal, or `undefined` for a chunk of zeros only. */
export function digestAt(chunks: Buffer, chunk: number): string | undefined {
  const digest = chunks.subarray(chunk * DIGEST_BYTES, (chunk + 1) * DIGEST_BYTES)
  return digest.every((byte) => byte === 0) ? undefined : digest.toString('hex')
}
