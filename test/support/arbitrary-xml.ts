/** Random well-formed XML with everything that a careless serialiser loses: quotes, blanks, CDATA, comments, line ends. */
import fc from 'fast-check'

const space = fc.constantFrom('', ' ', '\n', '\t', '\r\n', '  \n  ')
const gap = fc.constantFrom(' ', '\n    ', '\t', '\r\n', '  ')
const name = fc.oneof(
  { weight: 8, arbitrary: fc.stringMatching(/^[a-z][a-z0-9._-]{0,6}(:[a-z]{1,4})?$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[A-Z_À-ÖØ-öø-˿Ͱ-ͽ一-龥][A-Za-z0-9._·À-ÖØ-ö-]{0,4}$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('constructor', 'prototype', 'toString', 'hasOwnProperty', 'x\u{10000}y', ':a', 'a:b:c'),
  },
)
const reference = fc.constantFrom(
  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&apos;',
  '&#65;',
  '&#x20AC;',
  '&#10;',
  '&#xA;',
  '&#13;',
  '&#00000000000000009;',
  '&#x000000000000020ac;',
  '&#x10FFFF;',
  '\u{1F600}',
)
const plain = fc.stringMatching(/^[ a-zA-Z0-9_.,;:!?()/=+*€ü\n\t\]-]{0,12}$/)
const character = (extra: string): fc.Arbitrary<string> =>
  fc.array(fc.oneof(plain, reference, fc.constantFrom('>', extra)), { maxLength: 4 }).map((parts) => parts.join(''))

const attribute = fc
  .record({ gap, name, left: space, right: space, quote: fc.constantFrom('"', "'"), value: character('') })
  .map((a) => ({
    name: a.name,
    text: `${a.gap}${a.name}${a.left}=${a.right}${a.quote}${a.value}${a.quote}`,
  }))
const attributes = fc
  .uniqueArray(attribute, { maxLength: 4, selector: (a) => a.name })
  .map((list) => list.map((a) => a.text).join(''))
const comment = fc.stringMatching(/^[ a-z<>&'"]{0,12}$/).map((text) => `<!--${text}-->`)
const instruction = fc
  .stringMatching(/^[ a-z<>&'"=]{0,12}$/)
  .chain((text) => fc.constantFrom(`<?keep ${text}?>`, `<?keep?>`, `<?xml-stylesheet\t${text}?>`, `<?a:b\r\n${text}?>`))
const cdata = fc.stringMatching(/^[ a-z<>&'"]{0,8}\]{0,2}[a-z]$/).map((text) => `<![CDATA[${text}]]>`)
const text = character('"').map((value) => value.replaceAll(']', '] x'))

const { element } = fc.letrec<{ element: string; node: string }>((tie) => ({
  node: fc.oneof({ maxDepth: 4, depthSize: 'medium' }, text, comment, instruction, cdata, tie('element')),
  element: fc
    .record({
      name,
      attributes,
      tail: space,
      empty: fc.boolean(),
      endTail: space,
      children: fc.array(tie('node'), { maxLength: 6, size: 'large' }),
    })
    .map((e) =>
      e.empty
        ? `<${e.name}${e.attributes}${e.tail}/>`
        : `<${e.name}${e.attributes}${e.tail}>${e.children.join('')}</${e.name}${e.endTail}>`,
    ),
}))

/** Every beginning of these documents. */
export const DECLARATIONS = [
  '',
  '<?xml version="1.0"?>\n',
  "<?xml version='1.0' encoding='UTF-8'?>\r\n",
  '<?xml version="1.0" encoding="UTF8"?>',
  "<?xml\tversion = '1.0'\r\nencoding\t=\t'Utf-8' standalone\n=\n'no'?>",
  '<?xml version="1.1"?>\n',
  '\uFEFF<?xml version="1.0" encoding="utf-8" standalone="yes" ?>',
] as const

/** A whole document, well-formed. */
export const xmlText: fc.Arbitrary<string> = fc
  .record({
    declaration: fc.constantFrom(...DECLARATIONS),
    before: fc.array(fc.oneof(comment, instruction, space)),
    element,
    after: space,
  })
  .map((d) => d.declaration + d.before.join('') + d.element + d.after)
