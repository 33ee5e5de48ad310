/** One member of a pool: made, booted as far as it comes without an identity, paused. */
import { absent, type Machine, newPoolName } from '../domain/inventory.ts'
import { throwIfAborted, waitUntilReady } from '../domain/readiness.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { type GrantName, grantName } from '../model/capability.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { formatPlainDomainFacts, readDomainFacts, VMPKG_NAMESPACE } from '../render/facts-xml.ts'
import type { InstalledPackage } from '../state/installed.ts'
import type { PoolWish } from '../state/pools.ts'
import { readOwnIdentity } from '../state/process-identity.ts'
import { chooseNet, cloneFacts, planClones, storageOf, verifyImages } from './clone-plan.ts'
import { noteOf, notGranted } from './install-plan.ts'
import { makeMachine } from './make-machine.ts'
import { findMissing } from './needed-grants.ts'
import { isGranted } from './package-choice.ts'
import { findManifest, loadPackage } from './package-store.ts'
import { transact } from './recover.ts'
import { draftMachine, finishMachine, type MachineInput, renderGuestFiles } from './render-machine.ts'
import { namelessEntry } from './stop.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

/** On the first medium of a member: who finds it waits. What is on it is of no meaning. */
const LATER = new Map([['later', Buffer.from('1\n')]])
const DEFAULT_BOOT_MS = 120_000

/** `PID START-TICKS BOOT-ID` of this process. */
export function ownAttendant(): string {
  const { pid, startTicks, bootId } = readOwnIdentity()
  return `${pid} ${startTicks} ${bootId}`
}

export function grantedNames({ line, grants }: InstalledPackage): readonly GrantName[] {
  return line.capabilities.filter((one) => isGranted(one, grants)).map(grantName)
}

/** With the link of its card down, whatever the machine's own will be. */
function unplugged(input: MachineInput): MachineInput {
  return { ...input, nics: input.nics.map((nic) => ({ ...nic, link: 'down' as const })) }
}

/** What tells machines apart that a user could tell apart, but for what their guests read from the medium. */
export async function shapeOf(input: MachineInput): Promise<Sha256> {
  return sha256((await draftMachine(input)).rendered)
}

/**
 * Makes it and lets it boot; it has yet to be finished. The caller holds the lock.
 * @throws {VmpkgError} as `clone` with `ephemeral`
 */
export async function makeMember(
  workspace: Workspace,
  connect: Connect,
  installed: InstalledPackage,
  wish: PoolWish,
): Promise<Machine> {
  const { line, source, parameters: before } = installed
  const pkg = await loadPackage(workspace, line)
  const net = await chooseNet(connect, pkg.line, wish.net)
  const grants = grantedNames(installed)
  const names = [newPoolName(workspace.outside.randomness)]
  const plan = { names, wantedMode: wish.mode, net, ephemeral: true, before, grants, set: [], profiles: [] }
  const { inputs, mode } = await planClones(workspace, connect, pkg, plan)
  const [planned] = inputs
  if (planned === undefined) throw new TypeError('nothing was planned')
  if (planned.placement !== undefined || Object.values(planned.pci ?? {}).some((devices) => devices.length > 0)) {
    throw new VmpkgError('USAGE', `Machines of ${line.name} have devices or processors of the host for themselves`, {
      hint: 'No pool can keep those: make each when it is wanted, with vmpkg clone.',
    })
  }
  const input = { ...unplugged(planned), more: LATER }
  const draft = await draftMachine(input)
  const missing = findMissing(input, draft)
  if (missing.length > 0) throw notGranted(missing.map((one) => noteOf(line.name, one)))
  await verifyImages(workspace, pkg)
  const facts: DomainFacts = {
    ...cloneFacts(workspace, input, { source, net, ephemeral: true, storage: storageOf(mode) }),
    pool: 'filling',
    shape: await shapeOf(input),
    attendant: ownAttendant(),
  }
  const xml = finishMachine(input, draft, facts)
  await validateDefinition(workspace, connect, 'domain', xml)
  const { uuid } = input.identity
  return transact(workspace, namelessEntry('pool', line.name), async (transaction) => {
    const machine = { input, result: { name: input.name, uuid, xml }, guest: renderGuestFiles(input) }
    await makeMachine(workspace, connect, transaction, machine, { ephemeral: true, start: true }, mode)
    throwIfAborted(workspace.outside.signal)
    transaction.commit()
    return { domain: await connect.domainLookupByUuid({ uuid }), name: input.name, facts, xml }
  })
}

/**
 * Waits until its guest waits, and pauses it. The lock is not needed: until then nobody takes it.
 * @throws {VmpkgError} `AGENT_UNAVAILABLE` for a guest that does not wait, `GUEST_NOT_READY`, `ABORTED`
 */
async function finishMember(workspace: Workspace, { domain, facts }: Machine): Promise<void> {
  const { clock, randomness, signal } = workspace.outside
  const seconds = (await findManifest(workspace, facts.digest))?.ready?.timeoutSeconds
  const reply = await waitUntilReady(domain, {
    clock,
    randomness,
    signal,
    timeoutMs: seconds === undefined ? DEFAULT_BOOT_MS : seconds * 1000,
    isReady: ({ ready, identity }) => ready === true || identity !== undefined,
  })
  if (reply.identity === undefined) {
    throw new VmpkgError('AGENT_UNAVAILABLE', `The guest of ${facts.package} does not wait for an identity`, {
      hint: 'Its image is older than pools, or not made for them: docs/pool.md says what it needs.',
    })
  }
  await domain.suspend()
  const { attendant: _, ...others } = readDomainFacts(await domain.getXMLDesc()) ?? facts
  await recordFacts(domain, { ...others, pool: 'ready' })
}

/** Of what runs: these domains have no other definition. */
export async function recordFacts(domain: Domain, facts: DomainFacts): Promise<void> {
  await domain.setMetadata({
    type: 'element',
    metadata: formatPlainDomainFacts(facts),
    key: 'vmpkg',
    uri: VMPKG_NAMESPACE,
    flags: ['live'],
  })
}

/**
 * All of them at once; one that does not come so far is ended.
 * @returns what went wrong
 */
export async function finishMembers(
  workspace: Workspace,
  connect: Connect,
  members: readonly Machine[],
): Promise<readonly Error[]> {
  const failures: Error[] = []
  await Promise.all(
    members.map(async (member) => {
      try {
        await finishMember(workspace, member)
      } catch (cause) {
        if (!(cause instanceof LibvirtError) && !isVmpkgError(cause)) throw cause
        const there = await connect.domainLookupByUuid({ uuid: member.domain.uuid }).catch(absent('noDomain'))
        if (there !== undefined) failures.push(cause) // else somebody dropped it
      }
    }),
  )
  return failures
}
