import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { CAPABILITY_NAMES, type Capability, PCI_CLASSES } from '../../src/model/capability.ts'
import type { Parameter, ParameterValues } from '../../src/model/manifest.ts'
import type { ChosenContext, NetworkChoices } from '../../src/model/template-context.ts'
import { choicesOf } from '../../src/render/choices.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import type { Choices } from '../../src/render/gate.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { verifyNetworkPolicy } from '../../src/render/network-policy.ts'
import type { Finding } from '../../src/render/policy.ts'
import { DOMAIN_CASES, NETWORK_CASES } from '../support/partial-cases.ts'
import { readPartials } from '../support/render-contexts.ts'

const partials = readPartials()
const everything: readonly Capability[] = CAPABILITY_NAMES.flatMap((name): readonly Capability[] => {
  if (name === 'network') return [{ name, lan: 'uni', wan: 'uplink' }]
  if (name === 'pci') return PCI_CLASSES.map((one) => ({ name, class: one }))
  if (name === 'host-file' || name === 'host-folder') return [{ name, access: 'write' }]
  return [{ name }]
})

type Lists = Partial<ChosenContext> & Partial<NetworkChoices> & { readonly params?: object }

/** As if every value had come from the command line. */
function allOf(context: Lists): Choices {
  const names = [
    ...Object.keys(context.params ?? {}),
    ...Object.values(context).flatMap((list: unknown) =>
      Array.isArray(list) ? list.flatMap((one: { parameter?: string }) => one.parameter ?? []) : [],
    ),
  ]
  const values = context.params as Readonly<Record<string, string>> | undefined
  const parameters: ParameterValues = Object.fromEntries(
    names.map((name) => [name, { value: values?.[name] ?? '', origin: 'command line' }]),
  )
  return choicesOf({ parameters, definitions: {}, context })
}

function findings(run: () => unknown): readonly Finding[] {
  try {
    run()
    return []
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED'), String(error))
    return error.details['findings'] as readonly Finding[]
  }
}

for (const { name, template, context, parameterNames } of DOMAIN_CASES) {
  test(`the rendering ${name} passes with every capability, and without them only where it reaches nothing`, () => {
    const xml = renderDomain({ template, partials, context, parameterNames })
    const gate = { xml, context, choices: allOf(context) }
    assert.deepEqual(
      findings(() => verifyDomainPolicy({ ...gate, capabilities: everything, granted: CAPABILITY_NAMES })),
      [],
    )
    const refused = findings(() => verifyDomainPolicy({ ...gate, capabilities: everything, granted: [] }))
    assert.ok(
      refused.every(({ reason }) => reason.includes('is not granted')),
      JSON.stringify(refused),
    )
  })
}

for (const { name, template, context } of NETWORK_CASES) {
  test(`the network ${name} passes as what it is with every capability`, () => {
    const xml = renderNetwork({ template, partials, context })
    const kind = xml.includes('<forward') ? 'uplink' : 'lan'
    const gate = { xml, context, kind, choices: allOf(context) } as const
    assert.deepEqual(
      findings(() => verifyNetworkPolicy({ ...gate, capabilities: everything, granted: CAPABILITY_NAMES })),
      [],
    )
  })
}

const definitions: Readonly<Record<string, Parameter>> = {
  gpu: { type: 'pci', class: 'display' },
  card: { type: 'pci' },
  share: { type: 'folder' },
}

test('only what the user set is chosen, never what a package brings', () => {
  const parameters: ParameterValues = {
    a: { value: '/default', origin: 'default' },
    b: { value: '/package', origin: 'package' },
    c: { value: '/user,/second', origin: 'command line' },
    d: { value: '/host', origin: 'host' },
    e: { value: 8080, origin: 'profile' },
    share: { value: '/etc', origin: 'default' },
  }
  const context = { folders: [{ parameter: 'share', path: '/etc', label: 'host_etc', readonly: true }] }
  const { texts } = choicesOf({ parameters, definitions, context })
  assert.deepEqual(texts, ['/user,/second', '/user', '/second', '/host', '/host', '8080', '8080'])
})

test('devices are chosen by their whole address, and by the class that was looked up', () => {
  const set = { origin: 'command line', value: 'x' } as const
  const pci = { domain: '0000', bus: '0A', slot: '00', function: '1' }
  const { texts, devices } = choicesOf({
    parameters: { gpu: set, card: set, stick: set, lump: set },
    definitions,
    context: {
      hostdevs: [
        { parameter: 'gpu', kind: 'pci', pci },
        { parameter: 'card', kind: 'pci', pci: { ...pci, bus: '0b' } },
        { parameter: 'stick', kind: 'usb', usb: { vendor: '1D6B', product: '0104' } },
        { parameter: 'lump', kind: 'usb', usb: { bus: 1, device: 4 } },
        { parameter: 'other', kind: 'mdev', uuid: 'not of the user' },
      ],
    },
  })
  assert.deepEqual(devices, { display: ['0000:0a:00.1'] })
  assert.deepEqual(texts.slice(-4), ['0000:0a:00.1', '0000:0b:00.1', '1d6b:0104', '1.4'])
})
