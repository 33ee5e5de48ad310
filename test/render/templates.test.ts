import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { renderDomain } from '../../src/render/domain.ts'
import { renderNetwork } from '../../src/render/network.ts'
import {
  consoleContext,
  lanContext,
  osContext,
  passthroughContext,
  readPartials,
  readTemplate,
  routerContext,
  uplinkContext,
} from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

const partials = readPartials()
const serializers = [(value: unknown): string => String(value)]
const golden = (name: string): string => fileURLToPath(new URL(`../golden/render/${name}.xml`, import.meta.url))

for (const [name, template, context] of [
  ['router-uni', 'router-uni/domain.xml.hbs', routerContext],
  ['router-uni-passthrough', 'router-uni/domain.xml.hbs', passthroughContext],
  ['app-console', 'app-console/domain.xml.hbs', consoleContext],
  ['os-debian', 'os-debian/domain.xml.hbs', osContext],
] as const) {
  test(`${name} renders to its golden file, valid by libvirt's domain schema`, (t) => {
    const xml = renderDomain({ template: readTemplate(template), partials, context })
    assert.equal(findSchemaFault(xml, 'domain'), undefined)
    t.assert.fileSnapshot(xml, golden(name), { serializers })
  })
}

for (const [name, template, context] of [
  ['router-uni-lan', 'router-uni/network.xml.hbs', lanContext],
  ['router-uni-uplink', 'router-uni/uplink.xml.hbs', uplinkContext],
] as const) {
  test(`${name} renders to its golden file, valid by libvirt's network schema`, (t) => {
    const xml = renderNetwork({ template: readTemplate(template), partials, context })
    assert.equal(findSchemaFault(xml, 'network'), undefined)
    t.assert.fileSnapshot(xml, golden(name), { serializers })
  })
}
