/**
 * A registry in a repository of an OCI registry: which address means which server, and under which names our files lie there
 * (format 6). A file that is named by its digest is the blob of that digest. One that has another name is the first layer
 * of an artifact under a tag; further layers are what the server's garbage collection must keep because of it. Pure.
 *
 * Source: OCI Distribution Specification 1.1, OCI Image Specification 1.1 (manifest, "Guidelines for Artifact Usage").
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { canonicalJsonBytes } from './canonical-json.ts'
import { type Digested, isSha256, type Sha256, sha256 } from './digest.ts'
import { count } from './shape.ts'

export interface OciPlace {
  /** Where the server answers; `http:` on this host only. */
  readonly server: URL
  /** `team/vmpkg`. */
  readonly repository: string
}

const OCI_SCHEMES = ['oci:', 'oci+http:']
export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
/** What servers must take, and few take more. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
/** The largest file that has a tag: the envelope, a submission. */
export const MAX_TAGGED_BYTES = 4 * 1024 * 1024
const ARTIFACT_TYPE = 'application/vnd.vmpkg.registry.v1'
const FILE_TYPE = 'application/vnd.vmpkg.file.v1'
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'
const TITLE = 'org.opencontainers.image.title'
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']
const CONTENT = /^(?:index|package|channels|map|transport|blob)\/([0-9a-f]{64})(?:\.[a-z.]+)?$/
const MAX_TAG_CHARACTERS = 128

/** Every manifest has a config; ours says nothing. */
export const EMPTY_CONFIG: Uint8Array = new TextEncoder().encode('{}')

export function isOciUrl({ protocol }: Pick<URL, 'protocol'>): boolean {
  return OCI_SCHEMES.includes(protocol)
}

/** `oci://host[:port]/repository`, and `oci+http:` for a server of this host. What is wrong with it otherwise. */
export function readOciUrl(url: URL): OciPlace | string {
  const repository = url.pathname.replaceAll(/^\/|\/$/g, '')
  const scheme = url.protocol === 'oci:' ? 'https:' : 'http:'
  const host = `${scheme}//${url.host}/`
  if (!isOciUrl(url) || url.host === '' || !URL.canParse(host)) return 'it names no OCI registry'
  if (scheme === 'http:' && !LOOPBACK.includes(url.hostname)) return 'oci+http: is for servers of this host only'
  if (repository.length > 200 || !REPOSITORY.test(repository)) return 'it has no name of a repository'
  return { server: new URL(host), repository }
}

/** Below the server: `blobs/sha256:…`, `manifests/<tag>`. */
export function ociUrl({ server, repository }: OciPlace, below: string): URL {
  return new URL(`/v2/${repository}/${below}`, server)
}

/** How a file of a registry is found: as a blob, or by a tag. */
export type OciName = { readonly digest: Sha256 } | { readonly tag: string }

/** @param path `blob/<sha256>`, `root/1.json`, … */
export function ociName(path: string): OciName {
  const [, digest] = CONTENT.exec(path) ?? []
  return digest !== undefined && isSha256(digest) ? { digest } : { tag: tagOf(path) }
}

/** `root/1.json` is `root.1`, `envelope.json` is `envelope`, `.publishing/x` is `publishing.x`. */
export function tagOf(path: string): string {
  return path
    .replace(/^\./, '')
    .replace(/\.json$/, '')
    .replaceAll('/', '.')
}

/** Of a folder's file; `undefined` where the tag is none of a file there. */
export function pathOfTag(folder: string, tag: string): string | undefined {
  const prefix = `${tagOf(folder)}.`
  if (!tag.startsWith(prefix)) return undefined
  return `${folder}/${tag.slice(prefix.length)}${folder.startsWith('.') ? '' : '.json'}`
}

/**
 * For people, and told apart by what the index says of the package: `package.router-uni_1.0.0-1_amd64.0123456789abcdef`.
 *
 * @param entry the bytes of its line in the index
 */
export function packageTag(
  { name, version, arch }: { readonly name: string; readonly version: string; readonly arch: string },
  entry: Uint8Array,
): string {
  const words = `package.${name}_${version}_${arch}`.replaceAll(/[^A-Za-z0-9._-]/g, '-')
  return `${words.slice(0, MAX_TAG_CHARACTERS - 17)}.${sha256(entry).slice(0, 16)}`
}

export interface OciLayer extends Digested {
  /** What tools call the file: its path in the registry. */
  readonly path: string
}

/** Equal artifacts under different tags differ in their annotation, so that removing one leaves the other. */
export function formatManifest(tag: string, layers: readonly OciLayer[]): Uint8Array {
  const descriptor = (mediaType: string, { sha256: digest, size }: Digested) => ({
    mediaType,
    digest: `sha256:${digest}`,
    size,
  })
  return canonicalJsonBytes({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: ARTIFACT_TYPE,
    config: descriptor(EMPTY_TYPE, { sha256: sha256(EMPTY_CONFIG), size: EMPTY_CONFIG.length }),
    layers: layers.map((layer) => ({ ...descriptor(FILE_TYPE, layer), annotations: { [TITLE]: layer.path } })),
    annotations: { 'org.vmpkg.tag': tag },
  })
}

const shape = z.object({
  layers: z
    .array(z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: count }))
    .min(1)
    .max(20_000),
})

/** The layers; the first is the file itself. Nothing in it is signed. @throws {VmpkgError} `REGISTRY_INVALID` */
export function parseManifest(bytes: Uint8Array): readonly [Digested, ...Digested[]] {
  try {
    const { layers } = shape.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
    const [first, ...others] = layers.map(({ digest, size }) => ({ sha256: digest.slice(7) as Sha256, size }))
    if (first !== undefined) return [first, ...others]
  } catch {
    // whatever is wrong with it
  }
  throw new VmpkgError('REGISTRY_INVALID', 'The manifest is not that of a file of vmpkg', {
    hint: 'Check that the address is that of a registry that vmpkg pushed.',
  })
}
