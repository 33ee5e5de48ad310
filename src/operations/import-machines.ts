/**
 * `import machines.conf` (PKG-10, PKG-12): every entry whose file is there or can be fetched becomes a package of this
 * host's own signed source. An entry without address and without file is missing, not an error. What comes from the
 * network needs a checksum, compared here and by nobody's eye.
 */
import { access, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { download } from '../fetch/download.ts'
import { probeFile } from '../fetch/probe-size.ts'
import { formatsByName, parseImageFormat } from '../image/format.ts'
import { type MachineEntry, parseMachinesConf } from '../upstream/machines-conf.ts'
import { openCatalogue } from './catalogue.ts'
import { type ImportResult, importImage } from './import.ts'
import { LOCAL_SOURCE } from './local-source.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface ImportMachinesRequest {
  readonly file: string
  /** Where files lie that were put there by hand; the folder of `file` by default. */
  readonly images?: string | undefined
  /** Take what nobody gave a checksum for. The packages say so. */
  readonly unverified: boolean
  /** Fetch nothing: look at what is there. */
  readonly offline: boolean
  readonly maxSize?: string | undefined
  readonly dryRun: boolean
}

export interface MachineRow {
  readonly file: string
  readonly package: string
  readonly state: 'imported' | 'present' | 'missing' | 'not fetched' | 'refused'
  readonly description: string
  /** Why it was refused. */
  readonly reason?: string
}

/** @throws {VmpkgError} `MACHINES_INVALID` `USAGE`; what is wrong with one entry is in its row */
export async function importMachines(
  workspace: Workspace,
  request: ImportMachinesRequest,
): Promise<readonly MachineRow[]> {
  const path = resolve(workspace.folder, request.file)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new VmpkgError('USAGE', `Cannot read ${JSON.stringify(request.file.slice(0, 200))}`, { cause })
  })
  const images = resolve(workspace.folder, request.images ?? dirname(path))
  const known = await knownPackages(workspace)
  const rows: MachineRow[] = []
  for (const entry of parseMachinesConf(text)) {
    const facts = { file: entry.file, package: packageNameOf(entry.file), description: entry.description ?? '' }
    try {
      const state = known.has(facts.package) ? 'present' : await importOne(workspace, request, entry, images)
      rows.push({ ...facts, state })
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      rows.push({ ...facts, state: 'refused', reason: `${error.message} [${error.code}]` })
    }
  }
  return rows
}

/** `slax-64.iso` is `slax-64`; `2.0 mini.ISO` is `vm-2-0-mini`. */
function packageNameOf(file: string): string {
  const { compression } = formatsByName(file)
  const words = file.toLowerCase().split('.')
  const stem = words.slice(0, compression === undefined ? -1 : -2).join('-')
  const plain = stem.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '')
  const named = /^[a-z]/.test(plain) && plain.length > 1 ? plain : `vm-${plain}`
  return named.slice(0, 48).replace(/-+$/, '')
}

async function knownPackages(workspace: Workspace): Promise<ReadonlySet<string>> {
  if (!(await sourceStore(workspace).list()).some(({ name }) => name === LOCAL_SOURCE)) return new Set()
  using catalogue = openCatalogue(workspace)
  return new Set(
    [...catalogue.names()].filter((name) => catalogue.versions(name).some(({ source }) => source === LOCAL_SOURCE)),
  )
}

async function importOne(
  workspace: Workspace,
  request: ImportMachinesRequest,
  entry: MachineEntry,
  images: string,
): Promise<MachineRow['state']> {
  const placed = join(images, entry.file)
  if (await exists(placed)) {
    await importFile(workspace, request, entry, placed)
    return 'imported'
  }
  if (entry.url === undefined) return 'missing'
  if (entry.sha256 === undefined && entry.sha512 === undefined && !request.unverified) {
    throw new VmpkgError('CHECKSUMS_INVALID', `${entry.file} has an address but no checksum`, {
      hint: 'Add sha256= to its section, or take it as it comes with --unverified.',
    })
  }
  if (request.offline || request.dryRun) return 'not fetched'
  await mkdir(workspace.paths.cache, { recursive: true })
  const work = await mkdtemp(join(workspace.paths.cache, 'machine-'))
  try {
    const file = join(work, entry.file)
    await fetchTo(workspace, entry.url, file)
    await importFile(workspace, request, entry, file)
    return 'imported'
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function importFile(
  workspace: Workspace,
  { maxSize, dryRun }: ImportMachinesRequest,
  { file, description, sha256, sha512, format }: MachineEntry,
  path: string,
): Promise<ImportResult> {
  return importImage(workspace, {
    image: path,
    isUpstream: false,
    name: packageNameOf(file),
    format: format === undefined ? undefined : parseImageFormat(format.toLowerCase()),
    summary: description,
    digests: [
      ...(sha256 === undefined ? [] : [`sha256:${sha256}`]),
      ...(sha512 === undefined ? [] : [`sha512:${sha512}`]),
    ],
    keys: [],
    crossChecks: [],
    maxSize,
    dryRun,
  })
}

/** Unverified bytes into a temporary folder. */
async function fetchTo({ outside }: Workspace, url: URL, target: string): Promise<void> {
  const { http, signal, emit } = outside
  const base = new URL('.', url)
  const path = decodeURIComponent(basename(url.pathname))
  const probed = await probeFile({ http, base }, { path, signal })
  if (probed === undefined) throw new VmpkgError('DOWNLOAD_FAILED', `${url.href} is not there`)
  emit({ type: 'fetch-started', subject: path, sizeBytes: probed.size })
  await using file = await open(target, 'wx', 0o600)
  for await (const piece of download(probed.mirror, { path: probed.path, size: probed.size, signal })) {
    await file.writeFile(piece)
  }
  emit({ type: 'fetch-finished', subject: path, from: 'network' })
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false // that is the question
  }
}
