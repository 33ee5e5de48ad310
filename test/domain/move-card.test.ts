import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rehomeFilter } from '../../src/domain/move-card.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'

const rehomed = (filter: string): string => {
  const { root } = parseXml(`<interface type='network'>${filter}</interface>`)
  rehomeFilter(root, '10.2.7.0/24')
  return formatXml(root)
}
const filter = (name: string, parameter: string, value: string): string =>
  `<filterref filter='${name}'><parameter name='${parameter}' value='${value}'/></filterref>`

test('a filter of vmpkg names the same host, or the network, of the new LAN', () => {
  assert.ok(rehomed(filter('vmpkg-client', 'ADDRESS', '10.1.1.77')).includes("value='10.2.7.77'"))
  assert.ok(rehomed(filter('vmpkg-guest', 'NET', '10.1.1.0')).includes("value='10.2.7.0'"))
})

test('filters and parameters of others stay as they are', () => {
  for (const text of [filter('clean-traffic', 'IP', '10.1.1.77'), filter('vmpkg-client', 'IP', '10.1.1.77'), '']) {
    assert.ok(rehomed(text).includes(text))
  }
})
