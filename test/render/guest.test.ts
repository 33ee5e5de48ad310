import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isVmpkgError } from '../../src/errors.ts'
import type { GuestTemplateContext, RouterContext } from '../../src/model/template-context.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { readTemplate, routerContext } from '../support/render-contexts.ts'

const router: RouterContext = {
  layer: 'uni',
  instance: 'uni0',
  wan: { mac: '52:54:00:0a:00:01' },
  lowers: [],
  lan: {
    mac: '52:54:00:0a:00:02',
    cidr: '10.1.1.0/24',
    address: '10.1.1.1',
    prefix: 24,
    netmask: '255.255.255.0',
    broadcast: '10.1.1.255',
    rangeFirst: '10.1.1.100',
    rangeLast: '10.1.1.250',
    leaseSeconds: 3600,
  },
}
const context: GuestTemplateContext = {
  identity: { hostname: 'router-uni', machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) },
  nics: routerContext.nics,
  ...(routerContext.wan === undefined ? {} : { wan: routerContext.wan }),
  ...(routerContext.lan === undefined ? {} : { lan: routerContext.lan }),
  router,
  params: { greeting: 'it is; reboot' },
}

test('every guest template of this repository renders, with no placeholder left', () => {
  let count = 0
  for (const name of ['router-uni', 'app-console']) {
    for (const file of readdirSync(fileURLToPath(new URL(`../../templates/${name}/guest`, import.meta.url)))) {
      const template = readTemplate(`${name}/guest/${file}`)
      const text = renderGuestFile(file, template, context)
      assert.ok(text.length > 0 && !text.includes('{{'), file)
      assert.ok(!template.includes('identity.hostname') || text.includes('router-uni'), file)
      count += 1
    }
  }
  assert.ok(count >= 4, `${count} templates`)
})

test('one value is quoted for a shell and refused in a rule file', () => {
  assert.equal(renderGuestFile('a.env.hbs', 'G={{params.greeting}}', context), "G='it is; reboot'")
  assert.throws(
    () => renderGuestFile('a.nft.hbs', 'add rule {{params.greeting}}', context),
    (error) => isVmpkgError(error, 'RENDER_REFUSED') && /params\.greeting/.test(error.message),
  )
})

test('a declared parameter without a value is absent, an undeclared one an error', () => {
  const template = '{{#if params.vpn}}vpn{{else}}none{{/if}}'
  assert.equal(renderGuestFile('a.conf.hbs', template, context, ['vpn']), 'none')
  assert.throws(
    () => renderGuestFile('a.conf.hbs', template, context),
    (error) => isVmpkgError(error, 'TEMPLATE_INVALID'),
  )
})
