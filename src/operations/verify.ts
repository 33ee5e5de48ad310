/**
 * Checks installed packages against what was signed: the archive by its digest, images by size and mode, or every byte; and
 * whether the machines and networks that they brought are there. `repair` brings back only what is wrong.
 */
import { absent } from '../domain/inventory.ts'
import { isVmpkgError } from '../errors.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { entryOf } from './candidates.ts'
import { openCatalogue } from './catalogue.ts'
import { obtainPackages } from './obtain.ts'
import { loadPackage } from './package-store.ts'
import { transact } from './recover.ts'
import { restoreRouter } from './restore-router.ts'
import type { Workspace } from './workspace.ts'

export interface Finding {
  readonly package: string
  readonly what: string
  readonly finding: string
}

export interface Repair extends Finding {
  /** What was done about it, or why nothing could be. */
  readonly outcome: 'repaired' | 'failed'
  readonly reason?: string
}

export interface PlannedRepair extends Finding {
  readonly outcome: 'would be fetched' | 'would be defined'
}

/** Nothing found means that all is as signed. @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `ABORTED` */
export async function verify(
  workspace: Workspace,
  { packages, full }: { readonly packages: readonly string[]; readonly full: boolean },
): Promise<readonly Finding[]> {
  const installed =
    packages.length === 0 ? workspace.installed.list() : packages.map((name) => workspace.installed.get(name))
  const findings: Finding[] = []
  for (const one of installed) findings.push(...(await verifyPackage(workspace, one, full)))
  return findings
}

/** What `repair` would set about, and how. @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `ABORTED` */
export async function planRepair(
  workspace: Workspace,
  request: { readonly packages: readonly string[]; readonly full: boolean },
): Promise<readonly PlannedRepair[]> {
  return (await verify(workspace, request)).map((one) => ({
    ...one,
    outcome: /^(?:domain|network) /.test(one.what) ? 'would be defined' : 'would be fetched',
  }))
}

/** Fetches damaged files anew and defines what is missing. The caller holds the lock. @throws {VmpkgError} `ABORTED` */
export async function repair(
  workspace: Workspace,
  request: { readonly packages: readonly string[]; readonly full: boolean },
): Promise<readonly Repair[]> {
  const findings = await verify(workspace, request)
  const repairs: Repair[] = []
  for (const name of new Set(findings.map((one) => one.package))) {
    const found = findings.filter((one) => one.package === name)
    const reason = await repairPackage(workspace, workspace.installed.get(name))
    for (const one of found) {
      repairs.push(reason === undefined ? { ...one, outcome: 'repaired' } : { ...one, outcome: 'failed', reason })
    }
  }
  return repairs
}

/** @returns why it could not be done */
async function repairPackage(workspace: Workspace, one: InstalledPackage): Promise<string | undefined> {
  try {
    using downloads = await obtainPackages(workspace, [entryFor(workspace, one)])
    const [pkg] = downloads.packages
    if (pkg === undefined) throw new TypeError('one entry, one package')
    if (one.line.kind === 'router' && (await missingDefinitions(workspace, one)).length > 0) {
      const connect = await workspace.connect()
      const saved = workspace.definitions
        .ofPackage(one.line.name)
        .map((definition) => ({ ...definition, xml: definition.defined, autostart: false }))
      const { source, parameters, grants } = one
      const request = { pkg, source, parameters, grants: grants.map(({ name }) => name) }
      await transact(workspace, { operation: 'verify --fix', subject: one.line.name }, async (transaction) => {
        await restoreRouter(workspace, connect, transaction, request, saved)
        transaction.commit()
      })
    }
    return undefined
  } catch (error) {
    if (error instanceof LibvirtError) return error.message
    if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
    return `${error.message} [${error.code}]`
  }
}

function entryFor(workspace: Workspace, one: InstalledPackage): ReturnType<typeof entryOf> {
  using catalogue = openCatalogue(workspace)
  return entryOf(catalogue, one)
}

async function verifyPackage(workspace: Workspace, one: InstalledPackage, full: boolean): Promise<readonly Finding[]> {
  const { line } = one
  const findings: Finding[] = []
  const { signal, emit } = workspace.outside
  const check = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    try {
      await run()
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      findings.push({ package: line.name, what, finding: `${error.message} [${error.code}]` })
    }
  }
  emit({ type: 'stage-started', stage: 'verify', subject: line.name })
  await check('archive', async () => loadPackage(workspace, line))
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images)
    await check(`image ${image.role}`, async () => store.verify(image, { isFull: full, signal }))
  for (const { kind, name } of await missingDefinitions(workspace, one))
    findings.push({ package: line.name, what: `${kind} ${name}`, finding: 'is not defined in libvirt any more' })
  return findings
}

/** Files can be checked without libvirt. */
async function connectIfPossible(workspace: Workspace): Promise<Connect | undefined> {
  try {
    return await workspace.connectIfRunning()
  } catch (error) {
    if (!isVmpkgError(error, 'LIBVIRT_UNREACHABLE')) throw error
    const { code, message, hint } = error
    workspace.outside.emit({ type: 'warned', code, message, ...(hint === undefined ? {} : { hint }) })
    return undefined
  }
}

/** Definitions that we made for the package and that libvirt no longer has; unknown while a private host does not run. */
export async function missingDefinitions(
  workspace: Workspace,
  { line }: InstalledPackage,
): Promise<readonly { readonly kind: 'domain' | 'network'; readonly name: string }[]> {
  const definitions = workspace.definitions.ofPackage(line.name)
  const connect = definitions.length === 0 ? undefined : await connectIfPossible(workspace)
  if (connect === undefined) return []
  const missing: { kind: 'domain' | 'network'; name: string }[] = []
  for (const { uuid, kind, name } of definitions) {
    const found =
      kind === 'domain'
        ? await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
        : await connect.networkLookupByUuid({ uuid }).catch(absent('noNetwork'))
    if (found === undefined) missing.push({ kind, name })
  }
  return missing
}
