/**
 * Documents made to be slow or to fill memory. Nothing is timed against a clock: a document of sixteen times the size may
 * take a few times more than sixteen times as long as its small sister in the same run, but not 256 times.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { diffXml } from '../../src/xml/diff.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'

const UNIT = 1000
const TIMES = 16
/** Between growth with the size, 16, and with its square, 256. */
const MOST = 64
/** Shorter times are not told apart. */
const LEAST_MICROSECONDS = 1000

const SHAPES: Readonly<Record<string, (size: number) => string>> = {
  'many elements': (size) => `<a>${'<b/>'.repeat(size)}</a>`,
  'many attributes': (size) => `<a>${`<b ${numbered(200, (n) => `a${n}='' `)}/>`.repeat(size / 100)}</a>`,
  'long attribute': (size) => `<a b="${"x'&amp;".repeat(size * 4)}"/>`,
  'long text': (size) => `<a>${']] > &#65;'.repeat(size * 4)}</a>`,
  'text in pieces': (size) => `<a>${'x<!---->'.repeat(size)}</a>`,
  'much CDATA': (size) => `<a>${'<![CDATA[]]]]>'.repeat(size)}</a>`,
  'much CDATA and text': (size) => `<a>${'<![CDATA[<]]>x'.repeat(size)}</a>`,
  'many instructions': (size) => `<a>${'<?b c?>'.repeat(size)}</a>`,
  'long comment': (size) => `<a><!--${' - >'.repeat(size * 4)}--></a>`,
  'long names': (size) => `<${'n'.repeat(size * 8)}/>`,
  'names beyond ASCII': (size) => `<a>${`<${'ü'.repeat(50)}/>`.repeat(size / 10)}</a>`,
  'many names': (size) => `<a>${numbered(size, (n) => `<b${n} c${n}=''/>`)}</a>`,
  'white space': (size) => `<a${' '.repeat(size * 8)}b${'\t'.repeat(size * 8)}=''${'\n'.repeat(size * 8)}/>`,
  'line ends': (size) => `<a>${'\r\n'.repeat(size * 4)}</a>`,
  'leading zeros of references': (size) => `<a>&#${'0'.repeat(size * 8)}65;</a>`,
  'deep and wide': (size) => `<a>${`${'<b>'.repeat(250)}${'</b>'.repeat(250)}`.repeat(size / 200)}</a>`,
  'many namespaces': (size) => `<a>${numbered(size / 10, (n) => `<p${n}:b xmlns:p${n}='u${n}'/>`)}</a>`,
  'text without an end': (size) => `<a>${'x'.repeat(size * 8)}`,
  'references without an end': (size) => `<a>${'&#'.repeat(size * 8)}</a>`,
  'open tags': (size) => '<a '.repeat(size),
  'open comments': (size) => `<a>${'<!--'.repeat(size)}</a>`,
  'ends of CDATA missing': (size) => `<a>${'<![CDATA['.repeat(size)}</a>`,
  'quotes without an end': (size) => `<a ${'b="'.repeat(size)}`,
}

describe('time grows with the size, not with its square', () => {
  for (const [title, make] of Object.entries(SHAPES)) {
    test(title, () => {
      const [small, large] = [make(UNIT), make(UNIT * TIMES)]
      const ratio = leastRatio(
        () => read(small),
        () => read(large),
      )
      assert.ok(ratio < MOST, `${TIMES} times the size took ${ratio.toFixed(1)} times as long`)
    })
  }

  const pair = (make: (n: number, side: string) => string) => (size: number) =>
    (['a', 'b'] as const).map((side) => parseXml(`<d>${numbered(size, (n) => make(n, side))}</d>`))
  const differences: Readonly<Record<string, (size: number) => ReturnType<typeof parseXml>[]>> = {
    'elements without identity, all different': pair((n, side) => `<x>${side}${n}</x>`),
    'elements in another order': (size) =>
      [1, -1].map((sign) => parseXml(`<d>${numbered(size, (n) => `<boot dev='${(sign * n + size) % size}'/>`)}</d>`)),
    'elements of one identity': pair((n, side) => `<disk a='${side}${n}'><target dev='vda'/></disk>`),
  }
  for (const [title, make] of Object.entries(differences)) {
    test(`the difference of ${title}`, () => {
      const [[a, b], [c, d]] = [make(UNIT / 4), make((UNIT / 4) * TIMES)]
      assert.ok(a && b && c && d)
      const ratio = leastRatio(
        () => diffXml(a, b).length,
        () => diffXml(c, d).length,
      )
      assert.ok(ratio < MOST, `${TIMES} times the size took ${ratio.toFixed(1)} times as long`)
    })
  }
})

test('the greatest document that libvirt sends is read, and what is beyond any bound is refused', () => {
  const cpus = numbered(
    40_000,
    (n) => `          <cpu id='${n}' socket_id='0' die_id='0' core_id='${n}' siblings='${n}'/>\n`,
  )
  const host = `<capabilities>\n<cells>\n${cpus}</cells>\n</capabilities>`
  assert.ok(host.length > 3_000_000)
  assert.equal(formatXml(parseXml(host)), host)
  const beyond = ['<a>'.repeat(257), `<a>${'<b/>'.repeat(400_000)}</a>`, `<a>${'x'.repeat(4 * 1024 * 1024)}</a>`]
  for (const text of beyond)
    assert.throws(
      () => parseXml(text),
      (error) => isVmpkgError(error, 'XML_INVALID'),
    )
})

test('names that mean something to JavaScript are names, but for the one that reaches for a prototype', () => {
  const names = [
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
    '__defineGetter__',
    '__lookupSetter__',
  ]
  for (const name of names) {
    const text = `<${name} ${name}='1'><!-- ${name} --><${name}>${name}</${name}><?x ${name}?></${name}>`
    assert.equal(formatXml(parseXml(text)), text)
    assert.deepEqual(diffXml(parseXml(text), parseXml(text)), [])
  }
  for (const text of ['<__proto__/>', "<a __proto__='1'/>"]) {
    assert.throws(
      () => parseXml(text),
      (error) => isVmpkgError(error, 'XML_INVALID'),
    )
  }
})

function read(text: string): void {
  try {
    parseXml(text)
  } catch (error) {
    assert.ok(isVmpkgError(error, 'XML_INVALID'), String(error))
  }
}

/** Processor time of the large over that of the small; the least of some rounds, as other work only adds to it. */
function leastRatio(small: () => unknown, large: () => unknown): number {
  const measure = (run: () => unknown): number => {
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 8; round++) {
      const began = process.cpuUsage()
      run()
      const { user, system } = process.cpuUsage(began)
      least = Math.min(least, user + system)
    }
    return Math.max(least, LEAST_MICROSECONDS)
  }
  measure(small)
  return measure(large) / measure(small)
}

function numbered(count: number, make: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => make(n)).join('')
}
