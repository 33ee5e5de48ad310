/**
 * Operating system vendors as data (`keys/vendors.yaml`): where their images lie, how their checksum lists are signed
 * and which full fingerprints are pinned. One strict reader for a file that we ship; a mistake in it must not pass.
 */
import { parse } from 'yaml'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { fingerprint, oneLine, parseShape } from '../model/shape.ts'

/** Formats that an image may have on its way; see image/format.ts. */
const format = z.enum(['raw', 'qcow2', 'vmdk', 'vdi', 'iso'])
/** Below a base: plain names and the fields in braces. */
const path = z
  .string()
  .max(200)
  .regex(/^(?:[A-Za-z0-9._/-]|\{(?:version|major|branch|arch|name|match)\})*$/, 'not a path with {fields}')
  .refine((text) => !text.split('/').includes('..') && !text.startsWith('/'), 'leaves its base')
const version = z.string().regex(/^(?!.*\.\.)[0-9][A-Za-z0-9.-]{0,30}$/, 'not a version of a vendor')
const word = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)
const arch = z.enum(['amd64', 'arm64'])

const signature = z.discriminatedUnion('kind', [
  /** Over the bytes of the checksum list. */
  z.strictObject({ kind: z.literal('detached'), file: path }),
  /** The list itself is a clear-signed message. */
  z.strictObject({ kind: z.literal('clear-signed') }),
  /** Over the bytes of the image. */
  z.strictObject({ kind: z.literal('image'), file: path }),
  z.strictObject({ kind: z.literal('none') }),
])

const flavour = z.strictObject({
  summary: oneLine,
  format,
  /** Tried in order where a file is not there; vendors move old releases. */
  bases: z
    .array(z.url({ protocol: /^https$/ }).endsWith('/'))
    .min(1)
    .max(4),
  file: path,
  checksums: z.strictObject({ file: path, algorithm: z.enum(['sha256', 'sha512']) }),
  signature,
  arches: z.partialRecord(arch, z.string().regex(/^[a-z0-9_]+$/)),
  versions: z.array(version).min(3),
  /** Code names by version, for `{name}`. */
  names: z.record(version, word).default({}),
  /** How a folder listing of the vendor names the versions there are; the second step is taken for each match. */
  listing: z
    .array(z.strictObject({ path, pattern: z.string().max(200) }))
    .max(2)
    .default([]),
})

const vendor = z.strictObject({
  title: oneLine,
  keys: z
    .array(
      z.strictObject({
        fingerprint,
        owner: oneLine,
        /** Major releases that it signs; all without. */
        releases: z.array(z.string()).min(1).exactOptional(),
      }),
    )
    .min(1),
  flavours: z.record(word, flavour),
})

const document = z.looseObject({ vendors: z.literal(1) }).transform(({ vendors, ...rest }) => ({ vendors, rest }))

export type Vendor = z.infer<typeof vendor>
export type Flavour = z.infer<typeof flavour>
export type Vendors = ReadonlyMap<string, Vendor>
export type UpstreamArch = z.infer<typeof arch>

const FAILURE = { code: 'UPSTREAM_INVALID', subject: 'The list of vendors, keys/vendors.yaml,' } as const

/** @throws {VmpkgError} `UPSTREAM_INVALID` */
export function parseVendors(text: string): Vendors {
  let data: unknown
  try {
    // Warnings quote the text, and the library would print them.
    data = parse(text, { maxAliasCount: 0, schema: 'core', uniqueKeys: true, logLevel: 'error' })
  } catch (cause) {
    throw new VmpkgError('UPSTREAM_INVALID', 'The list of vendors is not readable YAML', { cause })
  }
  const { rest } = parseShape(document, data, FAILURE)
  return new Map(
    Object.entries(rest).map(([name, value]) => [
      parseShape(word, name, FAILURE),
      parseShape(vendor, value, { ...FAILURE, subject: `${FAILURE.subject} ${JSON.stringify(name.slice(0, 40))}` }),
    ]),
  )
}
