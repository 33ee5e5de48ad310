/**
 * Another configuration for a router that runs (decisions 9): the host puts the new medium into its drive, `reset` makes
 * the guest load it, and the guest's attestation says that it did. What is recorded of the running domain follows.
 */
import { dirname } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import type { Sha256 } from '../model/digest.ts'
import type { EndpointContext } from '../model/template-context.ts'
import { formatPlainDomainFacts, readDomainFacts, VMPKG_NAMESPACE } from '../render/facts-xml.ts'
import { verifyAttestation } from '../router/agent.ts'
import { setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import { absent } from './inventory.ts'
import { setLink } from './link.ts'
import { ask, type WaitOptions } from './readiness.ts'

export interface Configuration {
  /** Path of the medium. */
  readonly medium: string
  /** Digest of the rule file on it. */
  readonly rules: Sha256
  /** Of its tunnel, for a router that has one: what the router above lets it reach follows from what is recorded of them. */
  readonly endpoints?: readonly EndpointContext[]
}

/** A guest under TCG loads, compares and starts its name server again: seconds. */
const RESET_MS = 45_000

/**
 * Safe to run twice. @throws {VmpkgError} `GUEST_NOT_READY` where the guest refuses it or says nothing, `ATTESTATION_FAILED`
 */
export async function loadConfiguration(
  domain: Domain,
  configuration: Configuration,
  outside: Pick<WaitOptions, 'randomness' | 'signal'>,
): Promise<void> {
  await insertMedium(domain, configuration.medium)
  const reply = await ask(domain, 'reset', { ...outside, timeoutMs: RESET_MS })
  if (reply?.ok !== true) {
    const reason = reply === undefined ? 'it gave no answer' : (reply.error ?? 'it gave no reason')
    throw new VmpkgError('GUEST_NOT_READY', `${domain.name} did not take its new configuration: ${reason}`, {
      hint: `It goes on with the old one. See vmpkg logs ${domain.name}.`,
    })
  }
  verifyAttestation(reply, configuration.rules, domain.name)
  await recordLive(domain, configuration)
}

/** For the journal: a router that does not take its old configuration back loses its LAN. */
export async function restoreConfiguration(
  connect: Connect,
  { uuid, ...configuration }: Configuration & { readonly uuid: string },
  outside: Pick<WaitOptions, 'randomness' | 'signal'>,
): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined || !(await domain.isActive())) return
  const facts = readDomainFacts(await domain.getXMLDesc())
  if (facts === undefined) return
  try {
    await loadConfiguration(domain, configuration, outside)
  } catch (error) {
    if (facts.lanMac !== undefined && (await domain.isActive())) await setLink(domain, facts.lanMac, 'down')
    throw error
  }
}

/** In the drive that holds a medium of the same folder: the one that vmpkg gave it. */
export async function insertMedium(domain: Domain, medium: string): Promise<void> {
  const drive = findDrive(await domain.getXMLDesc(), medium)
  const source = drive && findElement(drive, 'source')
  if (drive === undefined || source === undefined) {
    throw new VmpkgError('LIBVIRT_FAILED', `${domain.name} has no drive with a configuration medium`, {
      hint: `Restart it: vmpkg stop ${domain.name}, then vmpkg start ${domain.name}.`,
    })
  }
  if (getAttribute(source, 'file') === medium) return
  setAttribute(source, 'file', medium)
  await domain.updateDevice({ xml: formatXml(drive), flags: ['live'] })
}

function findDrive(xml: string, medium: string): XmlElement | undefined {
  return findElements(parseXml(xml).root, "devices/disk[@device='cdrom']").find((disk) => {
    const source = findElement(disk, 'source')
    const file = source && getAttribute(source, 'file')
    return file !== undefined && dirname(file) === dirname(medium)
  })
}

/** What runs has to attest the rules that it has now, not those that it was started with. */
async function recordLive(domain: Domain, { medium, rules, endpoints }: Configuration): Promise<void> {
  const facts = readDomainFacts(await domain.getXMLDesc())
  if (facts === undefined) return
  await domain.setMetadata({
    type: 'element',
    metadata: formatPlainDomainFacts({ ...facts, medium, rules, ...(endpoints && { endpoints }) }),
    key: 'vmpkg',
    uri: VMPKG_NAMESPACE,
    flags: ['live'],
  })
}
