/**
 * Taking a machine out of a pool: it gets its medium, is resumed, reads who it is and says so, and only then its cable is
 * plugged in. All of it under the root's lock, so that no two commands take the same.
 */
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readCards } from '../domain/cards.ts'
import { insertMedium } from '../domain/configuration.ts'
import { newIdentity } from '../domain/identity.ts'
import type { Machine } from '../domain/inventory.ts'
import { setLink } from '../domain/link.ts'
import { writeMedium } from '../domain/medium.ts'
import { ask, throwIfAborted } from '../domain/readiness.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { GrantName } from '../model/capability.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { NicContext } from '../model/template-context.ts'
import { publicParameters } from '../render/facts-xml.ts'
import type { InstalledPackage } from '../state/installed.ts'
import type { Transaction } from '../state/journal.ts'
import type { CloneRequest, CloneResult } from './clone.ts'
import { chooseNet, cloneFacts, planClone } from './clone-plan.ts'
import { findMissing } from './needed-grants.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { grantedNames, ownAttendant, recordFacts, shapeOf } from './pool-member.ts'
import { listOwnMembers } from './pool-relief.ts'
import { intend } from './recover.ts'
import { draftMachine, type MachineInput, renderGuestFiles } from './render-machine.ts'
import { forgetClone, removalOfClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

/** An emulated guest reads its medium within two seconds, and a busy host has several of them. */
const IDENTITY_MS = 30_000

export interface Hit {
  readonly member: Machine
  /** As the user wants it, with the identity that it will have. */
  readonly input: MachineInput
  readonly facts: DomainFacts
}

type Wanted = Pick<CloneRequest, 'mode' | 'set' | 'profiles' | 'autodestroy'>

/**
 * Members that are what the user wants but for what their guests read from the medium; as many as there are names, at most.
 * @throws {VmpkgError} `PARAMETER_INVALID` `NETWORK_UNAVAILABLE`
 */
export async function findHits(
  workspace: Workspace,
  connect: Connect,
  installed: InstalledPackage,
  { names, net, ...wanted }: Wanted & { readonly names: readonly string[]; readonly net: string | undefined },
): Promise<readonly Hit[]> {
  const own = await listOwnMembers(workspace, connect)
  const candidates = own.filter(({ facts }) => isCandidate(facts, installed, net, wanted.mode))
  if (candidates.length === 0) return []
  const pkg = await loadPackage(workspace, installed.line)
  const hits: Hit[] = []
  for (const member of candidates) {
    const alias = names[hits.length]
    if (alias === undefined) break
    const input = await planAs(workspace, connect, pkg, installed, member, { ...wanted, hostname: alias })
    if ((await shapeOf(input)) !== member.facts.shape) continue
    if (findMissing(input, await draftMachine(input)).length > 0) continue
    hits.push({ member, input, facts: factsOf(workspace, installed, input, member, alias, wanted) })
  }
  return hits
}

function isCandidate(
  facts: DomainFacts,
  { line }: InstalledPackage,
  net: string | undefined,
  mode: string | undefined,
): boolean {
  const isOurs = facts.pool === 'ready' && facts.package === line.name && facts.digest === line.package.sha256
  // Without a mode it is promised that nothing is left behind.
  const isMode = mode === undefined ? facts.storage !== undefined : mode === (facts.storage ?? 'transient')
  return isOurs && isMode && facts.net === net
}

/** True where `clone` with what was set for the pool would make just this one. */
export async function isFresh(
  workspace: Workspace,
  connect: Connect,
  installed: InstalledPackage,
  member: Machine,
  wish: { readonly net: string | undefined; readonly mode: string | undefined },
): Promise<boolean> {
  const { facts } = member
  if (facts.digest !== installed.line.package.sha256) return false
  if (wish.mode !== undefined && wish.mode !== (facts.storage ?? 'transient')) return false
  try {
    const pkg = await loadPackage(workspace, installed.line)
    if ((await chooseNet(connect, pkg.line, wish.net)) !== facts.net) return false
    const input = await planAs(workspace, connect, pkg, installed, member, { set: [], profiles: [], hostname: 'x' })
    return (await shapeOf(input)) === facts.shape
  } catch (error) {
    if (isVmpkgError(error) && error.code !== 'ABORTED') return false // none like it could be made now
    throw error
  }
}

/** What the package would be with the member's UUID, name, card and files. */
async function planAs(
  workspace: Workspace,
  connect: Connect,
  pkg: LoadedPackage,
  installed: InstalledPackage,
  { domain, facts, xml }: Machine,
  { hostname, set, profiles }: Pick<Wanted, 'set' | 'profiles'> & { readonly hostname: string },
): Promise<MachineInput> {
  const identity = { ...newIdentity(hostname, workspace.outside.randomness), uuid: domain.uuid }
  const nics = readCards(xml, undefined).map(({ mac = '', place }): NicContext => {
    return { role: 'wan', mac, network: place.name, link: 'down', isolated: true }
  })
  return planClone(workspace, connect, pkg, {
    name: domain.name,
    net: facts.net,
    ephemeral: true,
    storage: facts.storage,
    before: installed.parameters,
    grants: grantedNames(installed),
    set,
    profiles,
    existing: { identity, nics: facts.net === undefined ? [] : nics, medium: facts.medium ?? '' },
  })
}

function factsOf(
  workspace: Workspace,
  { line, source }: InstalledPackage,
  input: MachineInput,
  { facts: { net, storage } }: Machine,
  alias: string,
  { autodestroy }: Wanted,
): DomainFacts {
  const medium = join(dirname(input.medium), `${input.identity.uuid}.named.iso`)
  const facts = cloneFacts(workspace, { ...input, medium }, { source, net, ephemeral: true, storage })
  const parameters = publicParameters(facts.parameters, input.pkg.manifest.parameters)
  return {
    ...facts,
    digest: line.package.sha256,
    parameters,
    alias,
    ...(autodestroy === true ? { attendant: ownAttendant() } : {}),
  }
}

/**
 * Gives it the user's identity and its network. What has been intended for its removal is the caller's.
 * @throws {VmpkgError} `GUEST_NOT_READY` where its guest does not take it; what libvirt refuses
 */
async function giveIdentity(workspace: Workspace, { member, input, facts }: Hit): Promise<void> {
  const { randomness, signal, clock } = workspace.outside
  const { domain } = member
  const { alias = '', medium = '' } = facts
  await writeMedium({ files: renderGuestFiles(input).files, target: medium })
  await insertMedium(domain, medium)
  const argument = String(Math.floor(clock.now().getTime() / 1000))
  // The question is there when it wakes up.
  const asked = ask(domain, 'reset', { randomness, signal, timeoutMs: IDENTITY_MS, argument })
  const [reply] = await Promise.all([asked, domain.resume()])
  throwIfAborted(signal)
  if (reply?.ok !== true || reply.hostname !== alias) {
    const reason = reply === undefined ? 'it gave no answer' : (reply.error ?? 'it has another name')
    throw new VmpkgError('GUEST_NOT_READY', `A machine of the pool did not take its identity: ${reason}`, {
      hint: 'It is gone; another one is made. See docs/pool.md.',
    })
  }
  const { manifest } = input.pkg
  const title = `${alias} (vmpkg ${manifest.name} ${manifest.version})`
  await domain.setMetadata({ type: 'title', metadata: title, flags: ['live'] })
  await recordFacts(domain, facts)
  for (const { mac } of input.nics) await setLink(domain, mac, 'up')
  if (input.medium !== medium) await rm(input.medium, { force: true })
}

/** `undefined` where it could not be had: it is gone then, and another one is made from scratch. */
export async function takeHit(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  hit: Hit,
  granted: readonly GrantName[],
): Promise<CloneResult | undefined> {
  const { domain } = hit.member
  const { net, alias = '', storage } = hit.facts
  const { uuid } = domain
  intend(transaction, ...removalOfClone(uuid))
  try {
    await giveIdentity(workspace, hit)
  } catch (cause) {
    if (!(cause instanceof LibvirtError) && (!isVmpkgError(cause) || cause.code === 'ABORTED')) throw cause
    await destroyOwnDomain(connect, uuid)
    await forgetClone(workspace, uuid)
    workspace.outside.emit({ type: 'noted', message: `${cause.message}; ${alias} is made from scratch` })
    return undefined
  }
  workspace.outside.emit({ type: 'noted', message: `${alias} comes out of the pool` })
  return {
    name: alias,
    uuid,
    net,
    ephemeral: true,
    mode: storage ?? 'transient',
    pooled: true,
    address: undefined,
    xml: await domain.getXMLDesc(),
    granted,
    missingGrants: [],
  }
}
