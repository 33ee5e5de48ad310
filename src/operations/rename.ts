/**
 * `rename`: another name for a stopped clone, in libvirt, and for its guest at its next start. Its files, images, address
 * and whatever else refers to it go by its UUID and its card, and stay.
 */
import { findDomain, getMachine, type Machine } from '../domain/inventory.ts'
import { readRestorable } from '../domain/restore.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { parseDomainName } from '../model/name.ts'
import { findElement, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { intend, transact } from './recover.ts'
import { nameOnMedium } from './rename-medium.ts'
import { closeForwards } from './stop.ts'
import type { Workspace } from './workspace.ts'

export interface RenameResult {
  readonly before: string
  readonly name: string
  readonly changed: boolean
  /** Whether the guest takes the name at its next start. */
  readonly hostname: boolean
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_EXISTS` `NAME_INVALID`, `USAGE` for a router, `DOMAIN_STATE`
 * for a machine that runs or has snapshots
 */
export async function renameMachine(
  workspace: Workspace,
  { from, to, dryRun }: { readonly from: string; readonly to: string; readonly dryRun: boolean },
): Promise<RenameResult> {
  const connect = await workspace.connect()
  const machine = await getMachine(connect, from)
  const name = parseDomainName(to)
  await requireRenamable(connect, machine, name)
  const result = { before: from, name, changed: from !== name, hostname: false }
  if (dryRun || from === name) return result
  const { domain, facts } = machine
  const restorable = await readRestorable(connect, domain.uuid)
  if (restorable === undefined) return result
  const hostname = await transact(workspace, { operation: 'rename', subject: from }, async (transaction) => {
    intend(transaction, { kind: 'restore-name', uuid: domain.uuid, name: from, xml: restorable.xml })
    await renameDomain(machine, name)
    const title = titleAfter(restorable.xml, from, name)
    const renamed = await connect.domainLookupByUuid({ uuid: domain.uuid })
    if (title !== undefined) await renamed.setMetadata({ type: 'title', metadata: title, flags: ['config'] })
    const isNamed = await nameOnMedium(workspace, domain.uuid, name)
    transaction.commit()
    return isNamed
  })
  // A router names those that its ports lead to.
  if (facts.forwards !== undefined) await closeForwards(workspace, facts)
  return { ...result, hostname }
}

async function requireRenamable(connect: Connect, { domain, name, facts }: Machine, to: string): Promise<void> {
  if (facts.kind === 'router') {
    throw new VmpkgError('USAGE', `${name} is the machine of package ${facts.package}, and has its name`, {
      hint: 'Clones can be renamed.',
    })
  }
  if (facts.ephemeral || (await domain.isActive())) {
    throw new VmpkgError('DOMAIN_STATE', `${name} ${facts.ephemeral ? 'is an ephemeral clone' : 'is running'}`, {
      hint: facts.ephemeral ? 'Make a clone with that name.' : `vmpkg stop ${name} first.`,
    })
  }
  const other = await findDomain(connect, to)
  if (other !== undefined && other.uuid !== domain.uuid) {
    throw new VmpkgError('DOMAIN_EXISTS', `There is a machine ${to} already`, { hint: 'Choose another name.' })
  }
}

/** libvirt 9.0 renames none with snapshots, checkpoints or saved memory. */
async function renameDomain({ domain, name }: Machine, to: string): Promise<void> {
  try {
    await domain.rename({ newName: to })
  } catch (cause) {
    if (!(cause instanceof LibvirtError) || !cause.is('operationInvalid')) throw cause
    throw new VmpkgError('DOMAIN_STATE', `libvirt does not rename ${name}: ${cause.message}`, {
      hint: `Snapshots, checkpoints and saved memory go by its name: virsh snapshot-list ${name} lists them.`,
      cause,
    })
  }
}

/** A title that somebody gave it stays. */
function titleAfter(xml: string, from: string, to: string): string | undefined {
  const element = findElement(parseXml(xml).root, 'title')
  const title = element === undefined ? '' : getText(element)
  return title.startsWith(`${from} (vmpkg `) ? `${to}${title.slice(from.length)}` : undefined
}
