/**
 * `vendor:version[:flavour]`, as in `alpine:3.21.2:virt`, and what it stands for: the files to fetch and the keys that
 * may have signed them. Pure.
 */
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import type { Flavour, UpstreamArch, Vendor, Vendors } from './vendors.ts'

export interface Upstream {
  /** `alpine:3.21.2:virt` in full. */
  readonly reference: string
  readonly vendor: string
  readonly version: string
  readonly flavour: string
  readonly arch: UpstreamArch
  readonly format: Flavour['format']
  readonly bases: readonly string[]
  /** Paths below a base. */
  readonly image: string
  readonly checksums: string
  readonly algorithm: 'sha256' | 'sha512'
  readonly signature:
    | { readonly kind: 'detached' | 'image'; readonly path: string }
    | { readonly kind: 'clear-signed' | 'none' }
  /** Pinned fingerprints that may sign this release. */
  readonly keys: readonly Fingerprint[]
}

const VERSION = /^(?!.*\.\.)[0-9][A-Za-z0-9.-]{0,30}$/

/**
 * @param text `vendor:version`, `vendor:version:flavour`; the version `newest` is the newest known one
 * @throws {VmpkgError} `UPSTREAM_UNKNOWN`
 */
export function resolveUpstream(vendors: Vendors, text: string, arch: UpstreamArch = 'amd64'): Upstream {
  const [vendorName = '', asked = '', wanted, ...more] = text.split(':')
  const vendor = getVendor(vendors, vendorName)
  const flavourName = wanted ?? Object.keys(vendor.flavours)[0] ?? ''
  const flavour = Object.hasOwn(vendor.flavours, flavourName) ? vendor.flavours[flavourName] : undefined
  if (flavour === undefined || more.length > 0) {
    throw unknown(`${vendor.title} has no flavour ${JSON.stringify(flavourName.slice(0, 40))}`, {
      hint: `There is ${Object.keys(vendor.flavours).join(', ')}.`,
    })
  }
  const version = asked === 'newest' ? (sortVersions(flavour.versions).at(-1) ?? '') : asked
  if (!VERSION.test(version)) {
    throw unknown(`Not a version of ${vendor.title}: ${JSON.stringify(version.slice(0, 40))}`, {
      hint: `Known are ${sortVersions(flavour.versions).join(', ')}; vmpkg upstream list ${vendorName} --online asks for more.`,
    })
  }
  const theirArch = flavour.arches[arch]
  if (theirArch === undefined) throw unknown(`${vendor.title} has no ${flavourName} for ${arch}`)
  const fill = filler(flavour, vendor, version, theirArch)
  const { signature } = flavour
  return {
    reference: `${vendorName}:${version}:${flavourName}`,
    vendor: vendorName,
    version,
    flavour: flavourName,
    arch,
    format: flavour.format,
    bases: flavour.bases,
    image: fill(flavour.file),
    checksums: fill(flavour.checksums.file),
    algorithm: flavour.checksums.algorithm,
    signature: 'file' in signature ? { kind: signature.kind, path: fill(signature.file) } : signature,
    keys: vendor.keys
      .filter(({ releases }) => releases === undefined || releases.includes(majorOf(version)))
      .map((one) => one.fingerprint),
  }
}

/** @throws {VmpkgError} `UPSTREAM_UNKNOWN` */
export function getVendor(vendors: Vendors, name: string): Vendor {
  const vendor = vendors.get(name)
  if (vendor !== undefined) return vendor
  throw unknown(`There is no vendor ${JSON.stringify(name.slice(0, 40))}`, {
    hint: `There is ${[...vendors.keys()].join(', ')}; a reference is written VENDOR:VERSION or VENDOR:VERSION:FLAVOUR.`,
  })
}

/** Oldest first: 3.9, 3.10, 3.21.2. What is no version by Debian's rules sorts first, as text. */
export function sortVersions(versions: Iterable<string>): readonly string[] {
  return [...new Set(versions)].toSorted(compareUpstreamVersions)
}

export function compareUpstreamVersions(a: string, b: string): number {
  const [first, second] = [parse(a), parse(b)]
  if (first === undefined || second === undefined) {
    return Number(first !== undefined) - Number(second !== undefined) || (a < b ? -1 : a > b ? 1 : 0)
  }
  return compareVersions(first, second)
}

function parse(text: string): ReturnType<typeof parseVersion> | undefined {
  try {
    return parseVersion(text)
  } catch (error) {
    if (error instanceof VmpkgError) return undefined
    throw error
  }
}

function filler(flavour: Flavour, vendor: Vendor, version: string, arch: string): (template: string) => string {
  const values = {
    version,
    arch,
    major: majorOf(version),
    branch: version.split('.').slice(0, 2).join('.'),
    name: flavour.names[version],
  }
  return (template) =>
    template.replaceAll(/\{([a-z]+)\}/g, (_, field: string) => {
      const value = values[field as keyof typeof values]
      if (value !== undefined) return value
      throw unknown(`${vendor.title} ${version} has no code name known here`, {
        hint: `Known are ${Object.keys(flavour.names).join(', ')}.`,
      })
    })
}

function majorOf(version: string): string {
  return /^[0-9]+/.exec(version)?.[0] ?? version
}

function unknown(message: string, options: { readonly hint?: string } = {}): VmpkgError {
  return new VmpkgError('UPSTREAM_UNKNOWN', message, options)
}
