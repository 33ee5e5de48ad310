import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { renderTemplate } from '../../src/render/environment.ts'

const render = (template: string, data: unknown): string => renderTemplate({ fileName: 'x.xml.hbs', template, data })
const codeOf = (template: string, data: unknown = {}): string => {
  try {
    return `rendered ${render(template, data)}`
  } catch (error) {
    assert.ok(isVmpkgError(error), String(error))
    return error.code
  }
}

test('cpuset writes any list of numbers so that it reads back as the same set', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 60 }), (list) => {
      const text = render('{{cpuset list}}', { list })
      const read = text.split(',').flatMap((part) => {
        const [first = 0, last = first] = part.split('-').map(Number)
        return Array.from({ length: last - first + 1 }, (_, at) => first + at)
      })
      assert.deepEqual(
        read,
        [...new Set(list)].toSorted((a, b) => a - b),
      )
      // No shorter way: ranges never touch.
      assert.ok(read.every((one, at) => at === 0 || one > (read[at - 1] ?? -1)))
    }),
  )
  assert.equal(render('{{cpuset list}}', { list: [3, 1, 2, 8] }), '1-3,8')
  for (const list of [[], [-1], [1.5], ['1'], undefined])
    assert.equal(codeOf('{{cpuset list}}', { list }), 'TEMPLATE_INVALID')
})

test('default takes the first that has a value; given tells zero and empty from absent', () => {
  const data = { zero: 0, no: false, empty: '', absent: undefined, text: 'x' }
  assert.equal(render('{{default absent empty text "y"}}', data), 'x')
  assert.equal(render('{{default zero 1}} {{default no true}}', data), '0 false')
  assert.equal(
    render('{{#if (given zero)}}a{{/if}}{{#if (given empty)}}b{{/if}}{{#if (given absent)}}c{{/if}}', data),
    'ab',
  )
  assert.equal(codeOf('{{default absent absent}}', data), 'RENDER_REFUSED')
})

test('qemuValue doubles commas, so that a value stays one of QEMU’s options', () => {
  assert.equal(render('{{qemuValue path}}', { path: '/srv/a,b,,c' }), '/srv/a,,b,,,,c')
})

test('releases compare part by part; an unknown one is older than any', () => {
  const host = (libvirtVersion?: string, qemuVersion?: string) => ({ host: { libvirtVersion, qemuVersion } })
  const asks: [string, string | undefined, boolean][] = [
    ['9.0', '9.0.0', true],
    ['9.0.1', '9.0.0', false],
    ['9.10', '9.9.0', false],
    ['9.9', '9.10.0', true],
    ['10.0', '9.99.99', false],
    ['8.2', '11.3.0', true],
    ['0.1', undefined, false],
  ]
  for (const [needed, present, expected] of asks) {
    assert.equal(render(`{{libvirt "${needed}"}}`, host(present)), `${expected}`, `${present} >= ${needed}`)
    assert.equal(render(`{{qemu "${needed}"}}`, host(undefined, present)), `${expected}`)
  }
  for (const wrong of ['{{libvirt "9"}}', '{{libvirt 9}}', '{{qemu "x"}}', '{{needs "kernel" "6.1" "x"}}']) {
    assert.equal(codeOf(wrong, host('9.0.0')), 'TEMPLATE_INVALID', wrong)
  }
  assert.equal(codeOf('{{#if (needs "qemu" "8.0" "x")}}{{/if}}', host('9.0.0', '7.2.0')), 'HOST_UNSUPPORTED')
  assert.equal(codeOf('{{#if (needs "qemu" "7.2" "x")}}y{{/if}}', host('9.0.0', '7.2.0')), 'rendered y')
})
