import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import type { NetworkTemplateContext } from '../../src/model/template-context.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { findElement, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { lanContext, readPartials, readTemplate, uplinkContext } from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

const partials = readPartials()
const golden = (name: string): string => fileURLToPath(new URL(`../golden/render/${name}.xml`, import.meta.url))

for (const [name, template, context] of [
  ['router-uni-lan', 'router-uni/network.xml.hbs', lanContext],
  ['router-uni-uplink', 'router-uni/uplink.xml.hbs', uplinkContext],
] as const) {
  test(`${name} renders to its golden file, valid by libvirt's network schema`, (t) => {
    const xml = renderNetwork({ template: readTemplate(template), partials, context })
    assert.equal(findSchemaFault(xml, 'network'), undefined)
    t.assert.fileSnapshot(xml, golden(name), { serializers: [String] })
  })
}

test('hostile names of networks and bridges stay values', () => {
  const template = readTemplate('router-uni/network.xml.hbs')
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom("'/><ip address='10.0.0.1'/><x y='", '</name>', ']]>'),
  )
  fc.assert(
    fc.property(hostile, hostile, (name, bridge) => {
      try {
        const xml = renderNetwork({ template, partials, context: { network: { ...lanContext.network, name, bridge } } })
        const { root } = parseXml(xml)
        const [named, bridged] = [findElement(root, 'name'), findElement(root, 'bridge')]
        assert.deepEqual([named && getText(named), bridged && getAttribute(bridged, 'name')], [name, bridge])
        assert.equal(findElement(root, 'ip'), undefined)
      } catch (error) {
        assert.ok(isVmpkgError(error, 'RENDER_REFUSED'), String(error))
      }
    }),
    { numRuns: 1000 },
  )
})

test('an uplink without its addresses is refused with RENDER_REFUSED', () => {
  const template = readTemplate('router-uni/uplink.xml.hbs')
  assert.throws(
    () => renderNetwork({ template, partials, context: lanContext }),
    (error) => isVmpkgError(error, 'RENDER_REFUSED') && /network\.address/.test(error.message),
  )
})

test('a network template asks for the releases of the host, and a host that does not tell them counts as the oldest', () => {
  const template = `<network><name>{{network.name}}</name>{{#if (libvirt "9.2")}}<title>{{host.qemuVersion}}</title>{{/if}}{{#if (qemu "8.0")}}<ip/>{{/if}}</network>`
  const render = (host?: NetworkTemplateContext['host']): string =>
    renderNetwork({
      template,
      partials,
      context: { network: lanContext.network, ...(host === undefined ? {} : { host }) },
    })
  const bare = `<network><name>${lanContext.network.name}</name></network>`
  assert.equal(render(), bare)
  assert.equal(render({ libvirtVersion: '9.0.0', qemuVersion: '7.2.0' }), bare)
  assert.match(render({ libvirtVersion: '11.3.0', qemuVersion: '10.0.0' }), /<title>10\.0\.0<\/title><ip\/>/)
})
