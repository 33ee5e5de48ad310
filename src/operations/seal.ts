/**
 * `seal`: a stopped clone becomes a package of this host's own source, to be installed and cloned as any other: its own
 * package with its disk, all layers in one, in place of the package's. Who a clone is comes from its medium, at each boot,
 * and not from the disk; what the disk knows of the machine it was is listed in the package's notes.
 */
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { MANIFEST_PATH } from '../archive/write.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import { verifyOverlay } from '../image/qcow2-header.ts'
import { needTool } from '../image/qemu-tool.ts'
import { ImageStore } from '../image/store.ts'
import { parseManifest } from '../model/manifest-schema.ts'
import { parsePackageName } from '../model/name.ts'
import { formatSize } from '../model/size.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { publishLocally } from './import.ts'
import { describeImages } from './imported-package.ts'
import { LOCAL_SOURCE, listLocalVersions } from './local-source.ts'
import { readPackageFiles } from './package-store.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface SealRequest {
  readonly machine: string
  /** Of the package; the machine's by default. */
  readonly name: string | undefined
  /** The next one of that name by default. */
  readonly version: string | undefined
  readonly summary: string | undefined
  readonly dryRun: boolean
}

export interface Sealed {
  readonly name: string
  readonly version: string
  readonly source: string
  /** What it was made of. */
  readonly machine: string
  readonly from: { readonly package: string; readonly version: string }
  readonly virtualSize: number
  /** Of the raw disk; not known by a dry run. */
  readonly digest?: string
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `NAME_INVALID` `VERSION_INVALID` `USAGE`
 *   `PACKAGE_EXISTS` `IMAGE_INVALID` `NO_SPACE` `STATE_INVALID`
 */
export async function sealMachine(workspace: Workspace, request: SealRequest): Promise<Sealed> {
  const machine = await getMachine(await workspace.connect(), request.machine)
  const { facts } = machine
  const { overlay, base } = await findDisk(workspace, machine)
  const name = parsePackageName(request.name ?? machine.name)
  const version = await chooseVersion(workspace, name, request.version)
  const { virtualSize } = await verifyOverlay(await realDevice(overlay), { backing: base })
  const from = { package: facts.package, version: facts.version }
  const sealed = { name, version, source: LOCAL_SOURCE, machine: machine.name, from, virtualSize }
  if (request.dryRun) return sealed

  const { emit } = workspace.outside
  const work = scratchFolder(workspace)
  emit({ type: 'stage-started', stage: 'build', subject: name })
  try {
    const built = join(work, 'built')
    await mkdir(join(built, 'images'), { recursive: true })
    await writePackage(workspace, built, machine, { ...request, name, version })
    const target = join(built, 'images', 'disk')
    await flatten(workspace, overlay, target, virtualSize)
    const roles = ['disk', ...(await copyBootFiles(workspace, built, machine.xml))]
    const { disk } = await describeImages(built, roles)
    await publishLocally(workspace, built, 'seal', name)
    emit({ type: 'stage-finished', stage: 'build', subject: `${name} ${version}` })
    return { ...sealed, ...(disk === undefined ? {} : { digest: disk }) }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function findDisk(
  workspace: Workspace,
  { name, facts, domain, xml }: Machine,
): Promise<{ readonly overlay: string; readonly base: string }> {
  if (facts.kind === 'router') {
    throw new VmpkgError('USAGE', `${name} is a router: its disk is its package’s, there is nothing to seal`)
  }
  if (facts.ephemeral || (await domain.isActive())) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is ${facts.ephemeral ? 'ephemeral' : 'running'}`, {
      hint: facts.ephemeral ? 'Only a machine that is kept can be sealed.' : `vmpkg stop ${name} first.`,
    })
  }
  const { overlay, base } = facts
  if (overlay === undefined || base === undefined) {
    throw new VmpkgError('USAGE', `${name} has no disk of its own: there is nothing to seal`)
  }
  const sources = findElements(parseXml(xml).root, 'devices/disk/source')
  if (sources.some((source) => findElement(source, 'encryption') !== undefined)) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The disk of ${name} is encrypted, and a package’s image is not`, {
      hint: 'Seal a clone that is in a storage which is not encrypted.',
    })
  }
  const files = sources.map((source) => getAttribute(source, 'file') ?? getAttribute(source, 'dev'))
  if (!files.includes(overlay)) {
    throw new VmpkgError('DOMAIN_STATE', `The disk of ${name} has snapshots on it`, {
      hint: 'Delete them first, so that all that was written is in one file.',
    })
  }
  return { overlay, base: new ImageStore(workspace.paths.images).pathOf(base) }
}

/** What udev names a logical volume is a link. */
async function realDevice(path: string): Promise<string> {
  return path.startsWith('/dev/') ? realpath(path) : path
}

/** `1.0`, `1.1`, … */
async function chooseVersion(workspace: Workspace, name: string, wanted: string | undefined): Promise<string> {
  const other = workspace.installed.find(name)
  if (other !== undefined && other.source !== LOCAL_SOURCE) {
    throw new VmpkgError('PACKAGE_EXISTS', `${name} is a package of source ${other.source}`, {
      hint: 'Choose another name with --name.',
    })
  }
  const versions = (await listLocalVersions(workspace, name)).toSorted((a, b) =>
    compareVersions(parseVersion(a), parseVersion(b)),
  )
  if (wanted === undefined) {
    const last = versions.at(-1)
    const [, major, minor] = /^(\d+)\.(\d+)$/.exec(last ?? '') ?? []
    if (major !== undefined) return `${major}.${Number(minor) + 1}`
    return last === undefined ? '1.0' : `${last}+1`
  }
  const { text } = parseVersion(wanted)
  if (!versions.includes(text)) return text
  throw new VmpkgError('PACKAGE_EXISTS', `There is a ${name} ${text} in source ${LOCAL_SOURCE} already`, {
    hint: 'Leave out --pkg-version to get the next one.',
  })
}

/** The files of the package that the machine is of; its manifest says which machine it was. */
async function writePackage(
  workspace: Workspace,
  built: string,
  { name: machine, facts }: Machine,
  { name, version, summary }: { readonly name: string; readonly version: string; readonly summary: string | undefined },
): Promise<void> {
  const files = await readPackageFiles(workspace, facts.digest)
  for (const [path, { bytes, executable }] of files) {
    const target = join(built, 'package', path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, path === MANIFEST_PATH ? rewrite(bytes) : bytes)
    if (executable) await chmod(target, 0o755)
  }

  function rewrite(bytes: Uint8Array): string {
    const { images: _, ...manifest } = parse(Buffer.from(bytes).toString()) as Record<string, unknown>
    const text = stringify({
      ...manifest,
      name,
      version,
      summary: (summary ?? `${machine}, sealed (${facts.package} ${facts.version})`).slice(0, 200),
      parameters: withDefaults(manifest['parameters'], facts.parameters),
      notes: `Sealed from ${machine}, a machine of ${facts.package} ${facts.version}. Name, machine id and random seed of a clone come from its configuration medium. What programs inside have made for themselves, as host keys of an SSH server, passwords and logs, is on the disk and the same in every clone: remove it before sealing.`,
    })
    parseManifest(text)
    return text
  }
}

/** What the machine was given is what its clones get where nothing else is said. */
function withDefaults(parameters: unknown, values: Machine['facts']['parameters']): unknown {
  if (typeof parameters !== 'object' || parameters === null) return parameters
  return Object.fromEntries(
    Object.entries(parameters as Record<string, Record<string, unknown>>).map(([name, definition]) => {
      const given = values[name]
      const { type } = definition
      if (given === undefined || given.origin === 'default') return [name, definition]
      if (type === 'size' && typeof given.value === 'number') {
        return [name, { ...definition, default: formatSize(given.value) }]
      }
      return [name, type === 'integer' || type === 'boolean' ? { ...definition, default: given.value } : definition]
    }),
  )
}

async function flatten(workspace: Workspace, overlay: string, target: string, virtualSize: number): Promise<void> {
  const { processes, signal } = workspace.outside
  const options = { processes, signal, file: overlay, maxFileBytes: virtualSize, diskBytes: virtualSize }
  await needTool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', overlay, target], options)
}

/** Kernel and initrd of a package that boots by them: those that the machine has, whatever its package has by now. */
async function copyBootFiles(workspace: Workspace, built: string, xml: string): Promise<readonly string[]> {
  const { root } = parseXml(xml)
  const roles: string[] = []
  for (const role of ['kernel', 'initrd']) {
    const element = findElement(root, `os/${role}`)
    const path = element && getText(element).trim()
    if (path === undefined || dirname(path) !== workspace.paths.images) continue
    await copyFile(path, join(built, 'images', role), constants.COPYFILE_FICLONE)
    roles.push(role)
  }
  return roles
}
