import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { renderTemplate } from '../../src/render/environment.ts'
import { formatOf } from '../../src/render/format.ts'
import { findElement, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'

function render(fileName: string, template: string, value: string): string | undefined {
  try {
    return renderTemplate({ fileName, template, data: { value } })
  } catch (error) {
    assert.ok(isVmpkgError(error, 'RENDER_REFUSED'), String(error))
    return undefined
  }
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ maxLength: 30 }),
  fc.constantFrom(
    `'`,
    `"`,
    `]]>`,
    `--`,
    `-->`,
    `<x/>`,
    '&amp;',
    '$(id)',
    '`id`',
    '\n',
    '\\',
    '; reboot',
    '%s',
    '${HOME}',
    "'\\''",
  ),
)

test('the name of a template decides how its values are written', () => {
  assert.equal(formatOf('domain.xml.hbs'), 'xml')
  assert.equal(formatOf('guest/vmpkg.env.hbs'), 'shell')
  assert.equal(formatOf('run.sh.hbs'), 'shell')
  assert.equal(formatOf('a.json.hbs'), 'json')
  for (const name of ['nftables.nft.hbs', 'dnsmasq.conf.hbs', 'x.cfg.hbs', 'torrc.hbs', 'x.xml.conf.hbs']) {
    assert.equal(formatOf(name), 'token', name)
  }
})

test('an XML value is read back as exactly that text', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const xml = render('a.xml.hbs', `<a b='{{value}}' c="{{value}}">{{value}}</a>`, value)
      if (xml === undefined) {
        assert.match(value, /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u)
        return
      }
      const { root } = parseXml(xml)
      assert.deepEqual([getAttribute(root, 'b'), getAttribute(root, 'c'), getText(root)], [value, value, value])
      assert.equal(findElement(root, '*'), undefined)
    }),
    { numRuns: 2000 },
  )
})

test('an XML value is refused where it would be markup', () => {
  for (const template of [
    '<{{value}}/>',
    '<a {{value}}/>',
    '<a b={{value}}/>',
    '<!-- {{value}} --><a/>',
    '<a><![CDATA[{{value}}]]></a>',
    '<?x {{value}}?><a/>',
  ]) {
    assert.equal(render('a.xml.hbs', template, 'x'), undefined, template)
  }
})

test('a shell value is one word with exactly that text, whatever it holds', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const script = render('a.sh.hbs', `X={{value}} # "{ it's }\nprintf %s "$X" {{value}}-{{value}}\n`, value)
      if (script === undefined) {
        assert.match(value, /\p{Cc}/u)
        return
      }
      const run = spawnSync('/bin/busybox', ['sh', '-c', script], { encoding: 'utf8', env: { PATH: '/nonexistent' } })
      assert.equal(run.stderr, '')
      const wellFormed = value.toWellFormed()
      assert.equal(run.stdout, `${wellFormed}${wellFormed}-${wellFormed}`)
    }),
    { numRuns: 150 },
  )
})

test('a shell value is refused where its quotes would mean something else', () => {
  const templates = [
    'X="{{value}}"',
    "X='{{value}}'",
    '# {{value}}',
    'cat <<E\n{{value}}\nE\n',
    'X=$({{value}}',
    'X=`{{value}}`',
    'X=\\a{{value}}',
    '${{value}}',
    '"a\\\\" "{{value}}"',
    '"$(echo "{{value}}")"',
    "$'a' {{value}}",
  ]
  for (const template of templates) {
    const allowed = template === 'X=$({{value}}'
    assert.equal(render('a.sh.hbs', template, 'a b') === undefined, !allowed, template)
  }
})

test('a JSON value is read back as exactly that text and stands only inside a string', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const text = render('a.json.hbs', '{"a\\"": "{{value}}", "b": ["{{value}}"]}', value)
      assert.deepEqual(JSON.parse(text ?? ''), { 'a"': value, b: [value] })
    }),
    { numRuns: 500 },
  )
  assert.equal(render('a.json.hbs', '[{{value}}]', '1'), undefined)
})

test('elsewhere only a harmless token passes, and the refusal names value and character', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const text = render('a.nft.hbs', 'ip saddr {{value}} accept', value)
      assert.equal(text, /^[A-Za-z0-9._:/@+-]+$/.test(value) ? `ip saddr ${value} accept` : undefined)
    }),
    { numRuns: 500 },
  )
  assert.throws(
    () => renderTemplate({ fileName: 'a.nft.hbs', template: '{{value}}', data: { value: 'a;b' } }),
    (error) => isVmpkgError(error, 'RENDER_REFUSED') && /"value".*a\.nft\.hbs.*";"/.test(error.message),
  )
})

test('half a surrogate pair stands in no file: UTF-8 and JSON have no form for it', () => {
  for (const file of ['a.xml.hbs', 'a.sh.hbs', 'a.env.hbs', 'a.json.hbs', 'a.nft.hbs']) {
    const template = file.includes('json') ? '{"a": "{{value}}"}' : '<a>{{value}}</a>'
    assert.throws(
      () => renderTemplate({ fileName: file, template, data: { value: 'a\ud800' } }),
      (error) => isVmpkgError(error, 'RENDER_REFUSED') && error.message.includes('half a surrogate pair'),
      file,
    )
  }
})
