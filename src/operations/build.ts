/** Builds template folders: their images from Debian packages, without root. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { rawFrom } from '../image/raw-from.ts'
import type { Manifest } from '../model/manifest.ts'
import { parseManifest } from '../model/manifest-schema.ts'
import { type BuiltPackage, buildPackage, type FetchUpstreamDisk, readRecipe } from '../publish/build-package.ts'
import { fetchUpstream } from './upstream-fetch.ts'
import type { Workspace } from './workspace.ts'

export interface BuildRequest {
  readonly templates: readonly string[]
  readonly out: string
  readonly cache: string | undefined
  /** Folders of built packages that layers may stand on, besides `out`. */
  readonly bases?: readonly string[]
  /** Debian mirror instead of the host's own apt sources. */
  readonly mirror: string | undefined
  /** Server to fetch vendors' images from, instead of their own. */
  readonly upstreamMirror?: string | undefined
}

/** @throws {VmpkgError} `MANIFEST_INVALID` `RECIPE_INVALID` `TOOL_MISSING` `BUILD_FAILED` `NO_SPACE` `OFFLINE` `ABORTED` */
export async function buildTemplates(workspace: Workspace, request: BuildRequest): Promise<readonly BuiltPackage[]> {
  const { processes, emit, signal, isOffline = false } = workspace.outside
  const environment = proxies(workspace.env)
  const built: BuiltPackage[] = []
  for (const { packageDir, manifest } of await orderByBase(request.templates)) {
    built.push(
      await buildPackage({
        packageDir,
        manifest,
        outDir: resolve(request.out),
        baseDirs: (request.bases ?? []).map((folder) => resolve(folder)),
        cacheDir: resolve(request.cache ?? join(workspace.paths.cache, 'build')),
        environment,
        fetchUpstream: upstreamFetcher(workspace, request.upstreamMirror),
        isOffline,
        processes,
        emit,
        signal,
        ...(request.mirror === undefined ? {} : { mirror: parseMirror(request.mirror) }),
      }),
    )
  }
  return built
}

interface Template {
  readonly packageDir: string
  readonly manifest: Manifest
  readonly base: string | undefined
}

/** A base comes before its layers, otherwise as asked. Layers in a circle come as asked, and the first finds no base. */
async function orderByBase(folders: readonly string[]): Promise<readonly Template[]> {
  const templates: Template[] = []
  for (const packageDir of folders) {
    const manifest = await readManifest(packageDir)
    const recipe = await readRecipe(packageDir, manifest)
    const base = recipe?.variant === 'layer' ? recipe.base : undefined
    templates.push({ packageDir: resolve(packageDir), manifest, base })
  }
  const ordered: Template[] = []
  const waiting = [...templates]
  while (waiting.length > 0) {
    const isFree = ({ base }: Template): boolean => !waiting.some(({ manifest }) => manifest.name === base)
    const next = waiting.findIndex(isFree)
    ordered.push(...waiting.splice(Math.max(next, 0), 1))
  }
  return ordered
}

/** Disks beyond this are refused, whatever the vendor signs. */
const MAX_DISK_BYTES = 64 * 2 ** 30

function upstreamFetcher(workspace: Workspace, mirror: string | undefined): FetchUpstreamDisk {
  const { processes, signal } = workspace.outside
  return async ({ from, digests, crossChecks, virtualSize }, { work, target }) => {
    const fetched = await fetchUpstream(workspace, { reference: from, digests, crossChecks, mirror, certificates: [] })
    const { file, name, format, statements, signer } = fetched
    const limits = { virtualSize, maxBytes: MAX_DISK_BYTES, processes, signal }
    await rawFrom({ file, name, format, work, target, ...limits })
    return [
      `${fetched.reference} sha256:${fetched.sha256}`,
      ...(signer === undefined ? [] : [`signed by ${signer}`]),
      ...statements.map(({ source, algorithm, digest }) => `${source} ${algorithm}:${digest}`),
    ]
  }
}

/** @throws {VmpkgError} `MANIFEST_INVALID` */
async function readManifest(packageDir: string): Promise<Manifest> {
  const text = await readFile(join(packageDir, 'vmpkg.yaml'), 'utf8').catch((cause: unknown) => {
    throw new VmpkgError('MANIFEST_INVALID', `${JSON.stringify(packageDir)} has no readable vmpkg.yaml`, {
      hint: 'Name a folder that holds a package, such as templates/router-uni.',
      cause,
    })
  })
  return parseManifest(text)
}

function parseMirror(text: string): URL {
  if (URL.canParse(text)) return new URL(text)
  throw new VmpkgError('USAGE', `--mirror takes a URL, not ${JSON.stringify(text.slice(0, 100))}`)
}

function proxies(env: Workspace['env']): Readonly<Record<string, string>> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
