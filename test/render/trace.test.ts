import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderDomain, traceDomain } from '../../src/render/domain.ts'
import { formatPlace, shiftPlaces } from '../../src/render/trace.ts'
import { DOMAIN_CASES } from '../support/partial-cases.ts'
import { readPartials } from '../support/render-contexts.ts'

const partials = readPartials()

test('every line of every golden rendering is traced to the template line that has its tag', () => {
  let lines = 0
  for (const one of DOMAIN_CASES) {
    const input = { template: one.template, partials, context: one.context, parameterNames: one.parameterNames }
    const sources: Record<string, string> = { ...partials, 'domain.xml.hbs': one.template }
    const places = traceDomain(input)
    for (const [at, line] of renderDomain(input).split('\n').entries()) {
      const place = places[at]
      if (line.trim() === '') {
        assert.equal(place, undefined, `${one.name}:${at + 1}`)
        continue
      }
      assert.ok(place !== undefined, `${one.name}:${at + 1}`)
      const written = sources[place.template]?.split('\n')[place.line - 1] ?? ''
      const tag = /^<\/?[\w:-]+/.exec(line.trim())?.[0] ?? ''
      assert.ok(
        written.trim().startsWith(tag),
        `${one.name}:${at + 1} ${line.trim()} from ${formatPlace(place)} ${written}`,
      )
      // The way leads through lines that ask for the partial, to the package's own template.
      let inner = place
      while (inner.from !== undefined) {
        const call = sources[inner.from.template]?.split('\n')[inner.from.line - 1] ?? ''
        assert.ok(call.includes(`{{> ${inner.template}`), formatPlace(place))
        inner = inner.from
      }
      assert.equal(inner.template, 'domain.xml.hbs')
      lines += 1
    }
  }
  assert.ok(lines > 500, `${lines}`)
})

test('places follow their lines when others are put in', () => {
  assert.deepEqual(shiftPlaces('a\nb\nc', 'a\nx\ny\nb\nc', ['1', '2', '3']), ['1', undefined, undefined, '2', '3'])
  assert.deepEqual(shiftPlaces('a\nb', 'a\nb', ['1', '2']), ['1', '2'])
  assert.deepEqual(shiftPlaces('a\nb\nc', 'a\nx\nb\ny\nc', ['1', '2', '3']), ['1', undefined, '2', undefined, '3'])
  assert.deepEqual(shiftPlaces('a\nb\nc', 'a\nx\nc', ['1', '2', '3']), ['1', undefined, '3'])
})

test('a place is written from the inside out', () => {
  const from = { template: 'domain.xml.hbs', line: 9 }
  assert.equal(formatPlace({ template: 'cpu', line: 3, from }), 'cpu:3 < domain.xml.hbs:9')
})
