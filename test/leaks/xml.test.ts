/**
 * Every element and attribute of what is rendered for routers, their clients and their networks is taken out, one at a time:
 * the gate refuses what is left, or the loss can let nothing out, for the reason given here.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import type { Capability } from '../../src/model/capability.ts'
import type { DomainTemplateContext, NetworkTemplateContext } from '../../src/model/template-context.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { verifyNetworkPolicy } from '../../src/render/network-policy.ts'
import { removeAttribute, removeElement } from '../../src/xml/edit.ts'
import { childElements } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml, type XmlDocument, type XmlElement } from '../../src/xml/tree.ts'
import {
  consoleContext,
  lanContext,
  lowerContext,
  readPartials,
  readTemplate,
  routerContext,
  uplinkContext,
} from '../support/render-contexts.ts'

interface Document {
  readonly name: string
  readonly xml: string
  readonly verify: (xml: string) => void
}

const partials = readPartials()
const UNI: Capability = { name: 'network', lan: 'uni', wan: 'uplink' }

function domainOf(template: string, context: DomainTemplateContext, capability: Capability): Document {
  const xml = renderDomain({ template: readTemplate(`${template}/domain.xml.hbs`), partials, context })
  const rest = { context, capabilities: [capability], granted: ['network'] as const }
  return { name: template, xml, verify: (text) => verifyDomainPolicy({ ...rest, xml: text }) }
}

function networkOf(kind: 'lan' | 'uplink', context: NetworkTemplateContext): Document {
  const file = kind === 'lan' ? 'network' : 'uplink'
  const xml = renderNetwork({ template: readTemplate(`router-uni/${file}.xml.hbs`), partials, context })
  const rest = { context, kind, capabilities: [UNI], granted: ['network'] as const }
  return { name: kind, xml, verify: (text) => verifyNetworkPolicy({ ...rest, xml: text }) }
}

const DOCUMENTS: readonly Document[] = [
  domainOf('router-uni', routerContext, UNI),
  domainOf('router-gal', lowerContext, { name: 'network', lan: 'gal', wan: 'uni' }),
  domainOf('router-sol', lowerContext, { name: 'network', lan: 'sol', wan: 'gal' }),
  domainOf('app-console', consoleContext, { name: 'network', wan: 'uni' }),
  networkOf('lan', lanContext),
  networkOf('uplink', uplinkContext),
]

/** What may be gone, and why nothing gets out without it. A path stands for what is below it too. */
const HARMLESS: Readonly<Record<string, string>> = {
  'domain/currentMemory': 'it is the memory then',
  'domain/vcpu/@placement': 'static is the default',
  'domain/os/type/@': 'the machine is another one, with the same cards',
  'domain/os/kernel': 'nothing boots',
  'domain/os/initrd': 'nothing boots',
  'domain/os/cmdline': 'of a client: its root is not found',
  'domain/features': 'it cannot be shut down by the button',
  'domain/cpu': 'the processor is QEMU’s own default, and never the host’s',
  'domain/clock': 'UTC is the default',
  'domain/on_poweroff': 'destroy is the default',
  'domain/on_reboot': 'of a client: no LAN hangs on it',
  'domain/on_crash': 'of a client: no LAN hangs on it',
  'domain/pm': 'a guest that sleeps sends nothing, and its rules are in its memory',
  'domain/devices/emulator': 'libvirt’s own choice of QEMU',
  'domain/devices/disk': 'nothing boots, or there is no medium, and the router does not start',
  'domain/devices/controller': 'the medium has no drive; or a controller of USB with nothing in it',
  'domain/devices/interface/model': 'another card with the same MAC',
  'domain/devices/interface/link': 'of the WAN, or of a client: up is the default, and meant',
  'domain/devices/serial': 'less is written',
  'domain/devices/console': 'less is written',
  'domain/devices/channel': 'no agent answers, so the LAN stays closed',
  'domain/devices/rng': 'the seed of the medium is there',
  'domain/devices/memballoon': 'the host could ask for memory back',
  'network/forward/@mode': 'nat is the default',
  'network/dns': 'B8 of docs/leaks.md shows it with packets',
  'network/ip/dhcp': 'nobody gets a lease',
}
/** Of a list of harmless ones these must never be. */
const NEVER = [
  /interface\[2\]\/link/,
  /interface.*\/(?:mac|source|port)/,
  /disk.*\/(?:readonly|source\/@file)/,
  /router.*cmdline/,
]

function elementsOf({ root }: XmlDocument): readonly { element: XmlElement; parent?: XmlElement; path: string }[] {
  const found: { element: XmlElement; parent?: XmlElement; path: string }[] = []
  const walk = (element: XmlElement, path: string, parent?: XmlElement): void => {
    found.push({ element, path, ...(parent === undefined ? {} : { parent }) })
    const counts = new Map<string, number>()
    for (const child of childElements(element)) {
      const number = (counts.get(child.name) ?? 0) + 1
      counts.set(child.name, number)
      walk(child, `${path}/${child.name}${number > 1 ? `[${number}]` : ''}`, element)
    }
  }
  walk(root, root.name)
  return found
}

/** The document once for each thing that can be taken out. */
function* mutantsOf({ xml }: Document): Generator<readonly [what: string, xml: string]> {
  const whole = elementsOf(parseXml(xml))
  for (const [index, { element, path }] of whole.entries()) {
    for (const { name } of element.attributes) {
      const document = parseXml(xml)
      const one = elementsOf(document)[index]
      assert.ok(one !== undefined)
      removeAttribute(one.element, name)
      yield [`${path}/@${name}`, formatXml(document)]
    }
    const document = parseXml(xml)
    const one = elementsOf(document)[index]
    if (one?.parent === undefined) continue
    removeElement(one.parent, one.element)
    yield [path, formatXml(document)]
  }
}

function isRefused({ verify }: Document, xml: string): boolean {
  try {
    verify(xml)
    return false
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED', 'XML_INVALID'), String(error))
    return true
  }
}

const used = new Set<string>()
for (const document of DOCUMENTS) {
  test(`of ${document.name} nothing can be missing that keeps something in`, () => {
    assert.equal(isRefused(document, document.xml), false)
    const survivors: string[] = []
    let count = 0
    for (const [what, xml] of mutantsOf(document)) {
      count += 1
      if (isRefused(document, xml)) continue
      const plain = what.replaceAll(/\[\d+\]/g, '')
      const reason = Object.keys(HARMLESS).find((path) => plain.startsWith(path))
      if (reason !== undefined) used.add(reason)
      if (reason === undefined || NEVER.some((one) => one.test(`${document.name}:${what}`))) survivors.push(what)
    }
    assert.deepEqual(survivors, [])
    assert.ok(count > (document.name === 'lan' ? 9 : 18), `only ${count} were tried`)
  })
}

test('no reason is given for what is refused anyway', () => {
  assert.deepEqual(
    Object.keys(HARMLESS).filter((path) => !used.has(path)),
    [],
  )
})
