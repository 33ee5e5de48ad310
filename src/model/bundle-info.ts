/** `bundle.json`: what a bundle says it holds. Told to people and used to find things, never believed. */
import { z } from 'zod'
import { canonicalJsonBytes } from './canonical-json.ts'
import { count, parseShape } from './shape.ts'

export interface BundleInfo {
  readonly schema: 'vmpkg.bundle/1'
  readonly registryId: string
  /** What the exporting host calls the registry, and where it gets it from. */
  readonly source: string
  readonly url: string
  /** Of the envelope. */
  readonly version: number
  readonly packages: readonly { readonly name: string; readonly version: string; readonly arch: string }[]
}

const text = z.string().max(200)
const shape: z.ZodType<BundleInfo> = z.strictObject({
  schema: z.literal('vmpkg.bundle/1'),
  registryId: z.string().regex(/^[0-9a-f]{32}$/),
  source: text,
  url: z.string().max(2000),
  version: count.min(1),
  packages: z.array(z.strictObject({ name: text, version: text, arch: text })).max(100_000),
})

/** @throws {VmpkgError} `ARCHIVE_INVALID` */
export function parseBundleInfo(bytes: Uint8Array): BundleInfo {
  return parseShape(shape, readJson(bytes), { code: 'ARCHIVE_INVALID', subject: 'The list in the bundle' })
}

export function formatBundleInfo(info: BundleInfo): Uint8Array {
  return canonicalJsonBytes(info)
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined // the schema then refuses it with the same words
  }
}
