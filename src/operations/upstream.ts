/** `upstream list`: the vendors whose images vmpkg can verify, their flavours and versions. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Mirror } from '../fetch/mirror.ts'
import { fetchSmallFile } from '../fetch/small-file.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { parseListing } from '../upstream/listing.ts'
import { getVendor, sortVersions } from '../upstream/reference.ts'
import { type Flavour, parseVendors, type Vendors } from '../upstream/vendors.ts'
import type { Workspace } from './workspace.ts'

const KEYS = join(import.meta.dirname, '..', '..', 'keys')
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** Second steps of a listing that are asked for: the newest releases. */
const MAX_STEPS = 4

export interface UpstreamRow {
  readonly vendor: string
  readonly flavour: string
  readonly summary: string
  readonly format: string
  readonly arches: readonly string[]
  /** How the vendor signs: detached, clear-signed, image or none. */
  readonly signature: string
  /** Newest first. */
  readonly versions: readonly string[]
}

/** Which vendors there are, and the certificates for the fingerprints that are pinned to them. */
export interface VendorTrust {
  vendors(): Promise<Vendors>
  certificate(fingerprint: Fingerprint): Promise<Certificate>
}

/** What ships with vmpkg in `keys/`. */
export const SHIPPED_VENDORS: VendorTrust = {
  vendors: async () => parseVendors(await readFile(join(KEYS, 'vendors.yaml'), 'utf8')),
  certificate: async (fingerprint) => readCertificate(await readFile(join(KEYS, `${fingerprint}.asc`), 'utf8')),
}

/**
 * @param online ask the vendors for versions beyond those known here
 * @throws {VmpkgError} `UPSTREAM_UNKNOWN` `UPSTREAM_INVALID` `DOWNLOAD_FAILED`
 */
export async function listUpstream(
  workspace: Workspace,
  request: { readonly vendor: string | undefined; readonly online: boolean; readonly mirror: string | undefined },
): Promise<readonly UpstreamRow[]> {
  const vendors = await SHIPPED_VENDORS.vendors()
  const wanted = request.vendor === undefined ? [...vendors.keys()] : [request.vendor]
  const rows: UpstreamRow[] = []
  for (const name of wanted) {
    for (const [flavour, facts] of Object.entries(getVendor(vendors, name).flavours)) {
      const found = request.online ? await askVersions(workspace, facts, request.mirror) : []
      rows.push({
        vendor: name,
        flavour,
        summary: facts.summary,
        format: facts.format,
        arches: Object.keys(facts.arches),
        signature: facts.signature.kind,
        versions: sortVersions([...facts.versions, ...found]).toReversed(),
      })
    }
  }
  return rows
}

async function askVersions(workspace: Workspace, flavour: Flavour, mirror: string | undefined): Promise<string[]> {
  const [first, second] = flavour.listing
  const base = mirror ?? flavour.bases[0]
  if (first === undefined || base === undefined) return []
  const page = await fetchPage(workspace, base, first.path)
  const matches = parseListing(page, first.pattern)
  if (second === undefined) return [...matches]
  const found: string[] = []
  for (const match of matches.slice(-MAX_STEPS)) {
    const path = second.path.replaceAll('{match}', match)
    // A release that has no such flavour yet is no failure.
    const inner = await fetchPage(workspace, base, path).catch((error: unknown) => {
      if (error instanceof VmpkgError && error.code === 'DOWNLOAD_FAILED' && error.details['status'] === 404) return ''
      throw error
    })
    found.push(...parseListing(inner, second.pattern))
  }
  return found
}

/** A folder's page; servers answer the name without its slash with a redirect to the one with it. */
async function fetchPage({ outside }: Workspace, base: string, path: string): Promise<string> {
  const folder = new URL(path, parseBase(base)).pathname.replace(/\/$/, '')
  const root = new URL(base)
  root.pathname = '/'
  const mirror: Mirror = { http: outside.http, base: root }
  const bytes = await fetchSmallFile(mirror, {
    path: folder.replace(/^\//, ''),
    maxBytes: MAX_PAGE_BYTES,
    signal: outside.signal,
  })
  return bytes.toString('utf8')
}

/** A web address or `file:` folder, with a final slash. @throws {VmpkgError} `USAGE` */
export function parseBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['https:', 'http:', 'file:'].includes(url.protocol)) {
    throw new VmpkgError('USAGE', `Not the address of a mirror: ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Give an address with https:, or a folder with file:.',
    })
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}
