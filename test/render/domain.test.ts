import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import type { DomainTemplateContext, NicContext } from '../../src/model/template-context.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import { childElements } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlElement } from '../../src/xml/tree.ts'
import {
  consoleContext,
  lowerContext,
  osContext,
  passthroughContext,
  readPartials,
  readTemplate,
  routerContext,
} from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

/** Values that break out of naive templates, and values of every size. */
const hostile = fc.oneof(
  fc.constantFrom(
    `'/><hostdev/><x y='`,
    `"/><filesystem/>`,
    ']]>',
    '--><devices/><!--',
    '</name></domain>',
    '&lt;',
    '&x;',
    '<!DOCTYPE a>',
    '<![CDATA[',
    '<?x?>',
    '\n\n',
    '\t',
    '\r',
    '\u0000',
    '\u001b[2J',
    '\uD800',
    '\uFFFE',
    '{{domain.name}}',
    '{{{host.emulator}}}',
    '',
    'x'.repeat(5000),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
)
const huge = fc.constantFrom('y'.repeat(2 * 1024 * 1024), "'".repeat(900_000))

/** A context with hostile values wherever a template may print one. */
function poison(context: DomainTemplateContext, value: (benign: string) => string): DomainTemplateContext {
  const nic = (one: NicContext): NicContext => ({
    ...one,
    mac: value(one.mac),
    ...(one.network === undefined ? {} : { network: value(one.network) }),
  })
  const { overlay, medium, serialLog } = context
  return {
    ...context,
    domain: { ...context.domain, name: value(context.domain.name), uuid: value(context.domain.uuid) },
    host: { ...context.host, emulator: value(context.host.emulator) },
    images: Object.fromEntries(Object.entries(context.images).map(([role, path]) => [role, value(path)])),
    nics: context.nics.map((one) => nic(one)),
    ...(overlay === undefined ? {} : { overlay: { path: value(overlay.path), base: value(overlay.base) } }),
    ...(medium === undefined ? {} : { medium: value(medium) }),
    ...(serialLog === undefined ? {} : { serialLog: value(serialLog) }),
  }
}

/** Names of elements and attributes, in order: what a value must never change. */
function skeleton(element: XmlElement): unknown {
  return [element.name, element.attributes.map(({ name }) => name), childElements(element).map((one) => skeleton(one))]
}

const partials = readPartials()
const golden = (name: string): string => fileURLToPath(new URL(`../golden/render/${name}.xml`, import.meta.url))

for (const [name, template, context] of [
  ['router-uni', 'router-uni/domain.xml.hbs', routerContext],
  ['router-uni-passthrough', 'router-uni/domain.xml.hbs', passthroughContext],
  ['router-gal', 'router-gal/domain.xml.hbs', lowerContext],
  [
    'router-sol',
    'router-sol/domain.xml.hbs',
    { ...lowerContext, domain: { ...lowerContext.domain, name: 'router-sol' } },
  ],
  ['app-console', 'app-console/domain.xml.hbs', consoleContext],
  ['os-debian', 'os-debian/domain.xml.hbs', osContext],
] as const) {
  test(`${name} renders to its golden file, valid by libvirt's domain schema`, (t) => {
    const xml = renderDomain({ template: readTemplate(template), partials, context })
    assert.equal(findSchemaFault(xml, 'domain'), undefined)
    t.assert.fileSnapshot(xml, golden(name), { serializers: [String] })
  })
}

for (const [name, context] of [
  ['router-uni', routerContext],
  ['app-console', consoleContext],
] as const) {
  const template = readTemplate(`${name}/domain.xml.hbs`)
  const benign = JSON.stringify(skeleton(parseXml(renderDomain({ template, partials, context })).root))

  test(`${name}: hostile values are refused with a code or stay values`, () => {
    const outcomes = { rendered: 0, refused: 0 }
    fc.assert(
      fc.property(
        fc.array(hostile, { minLength: 24, maxLength: 24 }),
        fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
        (values, picks) => {
          let next = 0
          const poisoned = poison(context, (value) => {
            const index = next
            next += 1
            // An empty value is an absent one to `{{#if}}`: that is the template's own choice, not an injection.
            return picks[index] === true && values[index] !== '' ? (values[index] ?? value) : value
          })
          try {
            const xml = renderDomain({ template, partials, context: poisoned })
            assert.equal(JSON.stringify(skeleton(parseXml(xml).root)), benign)
            outcomes.rendered += 1
          } catch (error) {
            assert.ok(isVmpkgError(error, 'RENDER_REFUSED'), String(error))
            outcomes.refused += 1
          }
        },
      ),
      { numRuns: 1500 },
    )
    assert.ok(outcomes.rendered > 100 && outcomes.refused > 100, JSON.stringify(outcomes))
  })

  test(`${name}: huge values are refused with a code or stay values`, () => {
    fc.assert(
      fc.property(huge, fc.nat({ max: 8 }), (value, pick) => {
        let next = 0
        const poisoned = poison(context, (one) => (next++ === pick ? value : one))
        try {
          const xml = renderDomain({ template, partials, context: poisoned })
          assert.equal(JSON.stringify(skeleton(parseXml(xml).root)), benign)
        } catch (error) {
          assert.ok(isVmpkgError(error, 'RENDER_REFUSED', 'XML_INVALID'), String(error))
        }
      }),
      { numRuns: 10 },
    )
  })

  test(`${name}: what renders from hostile file names is valid by libvirt's schema and passes the gate`, () => {
    // Every character that libvirt's schema has for paths; XML's own among them.
    const path = fc.stringMatching(/^\/[a-zA-Z0-9_.+\-\\&"'<>/%,:]{1,40}$/)
    fc.assert(
      fc.property(fc.array(path, { minLength: 3, maxLength: 3 }), ([kernel, medium, emulator]) => {
        const odd: DomainTemplateContext = {
          ...context,
          images: { ...context.images, ...(kernel === undefined ? {} : { kernel }) },
          host: { ...context.host, ...(emulator === undefined ? {} : { emulator }) },
          ...(medium === undefined ? {} : { medium }),
        }
        const xml = renderDomain({ template, partials, context: odd })
        const capabilities = [{ name: 'network', lan: 'uni', wan: 'uplink' }] as const
        verifyDomainPolicy({ xml, context: odd, capabilities, granted: ['network'] })
        assert.equal(findSchemaFault(xml, 'domain'), undefined)
      }),
      { numRuns: 25 },
    )
  })
}
