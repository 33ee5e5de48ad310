import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inPresentPlace, networksOf } from '../../src/domain/snapshot-guest.ts'
import { parseXml } from '../../src/xml/parse.ts'

const card = (mac: string, network: string, more = ''): string =>
  `<interface type='network'><mac address='${mac}'/><source network='${network}'/>${more}</interface>`
const [A, B] = ['52:54:00:00:00:0a', '52:54:00:00:00:0b']

describe('a machine out of its saved memory', () => {
  test('H1: comes back behind the router that it is behind today, with the filters of today', () => {
    const saved = parseXml(
      `<domain><metadata><old/></metadata><devices>${card(A, 'uni0', "<link state='up'/>")}</devices></domain>`,
    )
    const present = `<domain><metadata><new/></metadata><devices>${card(A.toUpperCase(), 'gal0', "<link state='down'/><filterref filter='f'/>")}</devices></domain>`
    const placed = inPresentPlace(saved.root, present)
    assert.deepEqual([...networksOf(placed)], [[A, 'gal0']])
    assert.match(placed, /<link state='down'\/>/)
    assert.match(placed, /<filterref filter='f'\/>/)
    assert.match(placed, /<metadata><new\/><\/metadata>/)
    assert.doesNotMatch(placed, /uni0|old/)
  })

  test('has no link on a card that it has no more', () => {
    const saved = parseXml(
      `<domain><devices>${card(A, 'uni0')}${card(B, 'uni0', "<link state='up'/>")}</devices></domain>`,
    )
    const placed = inPresentPlace(
      saved.root,
      `<domain><devices>${card(B, 'uni0', "<link state='up'/>")}</devices></domain>`,
    )
    const links = [...placed.matchAll(/state=['"](\w+)['"]/g)].map(([, state]) => state)
    assert.deepEqual(links, ['down', 'up'])
  })
})
