/**
 * The signed line of a package version to and from its exact bytes (formats 3.1, 3.2), and `Transport`, which travels
 * beside it. A line is canonical JSON: the bytes that were signed are the bytes that are parsed, and nothing else
 * spells the same line. Both come from hostile registries.
 */
import { z } from 'zod'
import { canonicalJsonBytes, parseCanonicalJson } from './canonical-json.ts'
import { capabilities } from './capability-schema.ts'
import type { PackageImage, PackageLine, Transport } from './line.ts'
import {
  count,
  digested,
  isoDate,
  oneLine,
  packageName,
  parseShape,
  relations,
  sha256Text,
  version,
  withoutExtensions,
} from './shape.ts'
import { dataBlocksOf } from './verity.ts'

/** Bytes; a line holds relations and digests, never content. */
const MAX_LINE_BYTES = 64 * 1024
const MAX_IMAGE_BYTES = 64 * 1024 ** 4
/** Of one image: the last versions, and one for each channel. */
export const MAX_DELTAS = 16

export const arch = z.enum(['amd64', 'arm64', 'all'])
export const packageKind = z.enum(['os-image', 'router', 'controller', 'app', 'utility'])
export const layer = z.enum(['uni', 'gal', 'sol'])
export const imageRole = z.enum(['kernel', 'initrd', 'root', 'disk'])

/** dm-verity's, of an image that ends with its hash tree. */
export const verityRoot = z.string().regex(/^[0-9a-f]{64}$/, 'not the 64 hexadecimal digits of a root hash')

const image: z.ZodType<PackageImage> = z
  .strictObject({
    role: imageRole,
    format: z.literal('raw'),
    digest: sha256Text,
    size: count.min(1).max(MAX_IMAGE_BYTES),
    map: digested,
    parent: sha256Text.exactOptional(),
    verityRoot: verityRoot.exactOptional(),
  })
  .superRefine(checkVerity)

const line: z.ZodType<PackageLine> = z
  .strictObject({
    name: packageName,
    version,
    arch,
    kind: packageKind,
    summary: oneLine,
    layer: layer.exactOptional(),
    depends: relations,
    recommends: relations,
    provides: relations,
    conflicts: relations,
    replaces: relations,
    capabilities,
    images: z.array(image).max(16),
    package: digested,
    supportEndsAt: isoDate.exactOptional(),
  })
  .refine((one) => one.layer === undefined || one.kind === 'router', {
    path: ['layer'],
    message: 'only routers have one',
  })
  .refine((one) => new Set(one.images.map(({ role }) => role)).size === one.images.length, {
    path: ['images'],
    message: 'a role appears twice',
  })

export const transport: z.ZodType<Transport> = z.strictObject({
  images: z.record(
    sha256Text,
    z.strictObject({
      index: digested,
      fullBytes: count,
      deltas: z
        .array(z.strictObject({ from: sha256Text, index: digested, pack: digested }))
        .min(1)
        .max(MAX_DELTAS)
        .exactOptional(),
    }),
  ),
})

/** Of an image with a root hash: only a root is checked against one, and it is as large as data with their tree. */
export function checkVerity(
  { role, size, verityRoot: root }: { readonly role: string; readonly size: number; readonly verityRoot?: string },
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  if (root === undefined) return
  if (role !== 'root') {
    context.addIssue({ code: 'custom', path: ['verityRoot'], message: 'only an image with the role root has one' })
  } else if (dataBlocksOf(size) === undefined) {
    context.addIssue({ code: 'custom', path: ['size'], message: 'not the size of a file with its hash tree' })
  }
}

/** @throws {VmpkgError} `INDEX_INVALID` */
export function parsePackageLine(bytes: Uint8Array): PackageLine {
  const failure = { code: 'INDEX_INVALID', subject: 'A package line' } as const
  const value = parseCanonicalJson(bytes, { ...failure, maxBytes: MAX_LINE_BYTES })
  return parseShape(line, withoutExtensions(value), failure)
}

/** The bytes a publisher signs. @throws {VmpkgError} `INDEX_INVALID` where the line could not be read back */
export function formatPackageLine(value: PackageLine): Uint8Array {
  const bytes = canonicalJsonBytes(value)
  parsePackageLine(bytes)
  return bytes
}

/** @throws {VmpkgError} `INDEX_INVALID` */
export function parseTransport(value: unknown): Transport {
  return parseShape(transport, value, { code: 'INDEX_INVALID', subject: 'The transport of a package' })
}
