/** The gate before every domain of libvirt's own test suite. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { CAPABILITY_NAMES, type Capability, PCI_CLASSES } from '../../src/model/capability.ts'
import type { DomainTemplateContext, NicContext } from '../../src/model/template-context.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import type { Finding } from '../../src/render/policy.ts'
import { childElements, findElement, findElements, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlElement } from '../../src/xml/tree.ts'
import { debianSource } from '../support/debian-source.ts'
import { findReaches } from '../support/naive-reach.ts'

const ONLY = ['tests', 'src/conf/schemas', 'docs/*.rst']
const FOLDERS = [
  ['bookworm', 'tests/qemuxml2argvdata'],
  ['trixie', 'tests/qemuxmlconfdata'],
] as const

interface Document {
  readonly name: string
  readonly xml: string
  readonly context: DomainTemplateContext
  /** Every value that it holds, as if the user had given them all. */
  readonly values: readonly string[]
}

const EVERYTHING: readonly Capability[] = CAPABILITY_NAMES.flatMap((name): readonly Capability[] => {
  if (name === 'network') return [{ name, lan: 'uni', wan: 'uplink' }]
  if (name === 'pci') return PCI_CLASSES.map((one) => ({ name, class: one }))
  if (name === 'host-file' || name === 'host-folder') return [{ name, access: 'write' }]
  return [{ name }]
})

async function readCorpus(): Promise<readonly Document[]> {
  const documents: Document[] = []
  for (const [suite, folder] of FOLDERS) {
    const path = join(await debianSource('libvirt', { suite, only: ONLY }), folder)
    for (const name of readdirSync(path)
      .filter((file) => file.endsWith('.xml'))
      .toSorted()) {
      const xml = readFileSync(join(path, name), 'utf8')
      const document = describeDocument(`${suite}/${name}`, xml)
      if (document !== undefined) documents.push(document)
    }
  }
  return documents
}

/** As a plan of vmpkg would have it: name, memory and cards are those of the document. */
function describeDocument(name: string, xml: string): Document | undefined {
  let root: XmlElement
  try {
    ;({ root } = parseXml(xml))
  } catch (error) {
    assert.ok(isVmpkgError(error, 'XML_INVALID'), name)
    return undefined
  }
  const text = (path: string): string => {
    const found = findElement(root, path)
    return found === undefined ? '' : getText(found).trim()
  }
  const nics = findElements(root, 'devices/interface').flatMap((card): NicContext[] => {
    const [source, mac] = [findElement(card, 'source'), findElement(card, 'mac')]
    const link = findElement(card, "link[@state='down']") === undefined ? 'up' : 'down'
    const isolated = findElement(card, "port[@isolated='yes']") !== undefined
    const address = mac && getAttribute(mac, 'address')
    const kind = getAttribute(card, 'type')
    const target = source && (kind === 'network' || kind === 'bridge') ? getAttribute(source, kind) : undefined
    if (address === undefined || target === undefined) return []
    return [
      { role: 'wan', mac: address, link, isolated, ...(kind === 'network' ? { network: target } : { bridge: target }) },
    ]
  })
  const context: DomainTemplateContext = {
    domain: { name: text('name'), uuid: text('uuid'), memoryKib: Number(text('memory')), vcpus: Number(text('vcpu')) },
    host: {
      virtType: getAttribute(root, 'type') === 'kvm' ? 'kvm' : 'qemu',
      emulator: text('devices/emulator'),
      firmware: {
        code: text('os/loader'),
        vars: getAttribute(findElement(root, 'os/nvram') ?? root, 'template') ?? '',
      },
    },
    nvram: text('os/nvram'),
    params: {},
    images: {},
    nics,
  }
  return { name, xml, context, values: [...new Set([...leavesOf(root), ...devicesOf(root)])] }
}

function leavesOf(element: XmlElement): string[] {
  const own = element.attributes.map(({ name }) => getAttribute(element, name) ?? '')
  return [...own, getText(element).trim(), ...childElements(element).flatMap(leavesOf)]
}

/** Devices as users name them. */
function devicesOf(root: XmlElement): string[] {
  const hex = (value: string | undefined, digits: number): string =>
    Number(value ?? 0)
      .toString(16)
      .padStart(digits, '0')
  const sources = [
    ...findElements(root, 'devices/hostdev/source'),
    ...findElements(root, 'devices/interface/source'),
    ...findElements(root, 'devices/disk/source'),
  ]
  return sources.flatMap((source) => {
    const at = (path: string, name: string): string | undefined => {
      const found = findElement(source, path)
      return found && getAttribute(found, name)
    }
    const part = (name: string): string | undefined => at('address', name)
    return [
      `${hex(part('domain'), 4)}:${hex(part('bus'), 2)}:${hex(part('slot'), 2)}.${hex(part('function'), 1)}`,
      `${hex(at('vendor', 'id'), 4)}:${hex(at('product', 'id'), 4)}`,
      `${Number(part('bus'))}.${Number(part('device'))}`,
      `${at('adapter', 'name')}:${part('bus')}:${part('target')}:${part('unit')}`,
    ]
  })
}

function judge(document: Document, isGranted: boolean): readonly Finding[] {
  const { xml, context, values } = document
  try {
    verifyDomainPolicy({
      xml,
      context,
      capabilities: isGranted ? EVERYTHING : [],
      granted: isGranted ? CAPABILITY_NAMES : [],
      choices: { texts: isGranted ? values : [], devices: {} },
    })
    return []
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED'), `${document.name}: ${String(error)}`)
    return error.details['findings'] as readonly Finding[]
  }
}

const corpus = await readCorpus()

test('with no capability nothing that reaches the host passes, as a naive detector sees it', (t) => {
  let reaching = 0
  let reaches = 0
  for (const document of corpus) {
    const found = findReaches(document.xml)
    if (found.length === 0) continue
    reaching += 1
    reaches += found.length
    // An element of a kind that is refused is refused with all that is in it.
    const refused = judge(document, false).map(({ path }) =>
      path.replaceAll(/\[\d+\]/g, '').replace(/\/@(?:type|mode|model)$/, ''),
    )
    // Of a document with so many findings not all are told.
    if (refused.length >= 100) continue
    for (const { path, value } of found) {
      const isRefused = refused.some(
        (one) => path === one || path.startsWith(`${one}/`) || (value === '' && one.startsWith(`${path}/`)),
      )
      assert.ok(isRefused, `${document.name}: ${path} ${value} passed`)
    }
  }
  t.diagnostic(
    `${corpus.length} documents, ${reaching} of them reach the host in ${reaches} places; all were refused there`,
  )
  assert.ok(corpus.length > 3300 && reaching > 2000, `${corpus.length} documents, ${reaching} reaching`)
})

test('with every capability, granted, and values of the user what vmpkg supports passes', (t) => {
  const reasons = new Map<string, number>()
  let passed = 0
  for (const document of corpus) {
    const findings = judge(document, true)
    if (findings.length === 0) passed += 1
    const plain = findings.map(
      ({ path, reason }) => `${path.replaceAll(/\[\d+\]/g, '')}: ${reason.replace(/: ".*$/s, '')}`,
    )
    for (const one of new Set(plain)) reasons.set(one, (reasons.get(one) ?? 0) + 1)
    // What needs a capability has it here: none may be asked for.
    assert.deepEqual(
      findings.filter(({ reason }) => reason.includes('needs the capability')),
      [],
      document.name,
    )
  }
  t.diagnostic(`${passed} of ${corpus.length} documents pass`)
  for (const [reason, count] of [...reasons].toSorted((a, b) => b[1] - a[1]).slice(0, 40))
    t.diagnostic(`${count} ${reason}`)
  assert.ok(passed > corpus.length * 0.65, `${passed} of ${corpus.length}`)
})
