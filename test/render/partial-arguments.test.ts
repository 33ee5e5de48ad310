import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isVmpkgError } from '../../src/errors.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { parseTemplate } from '../../src/render/template.ts'
import { debianSource } from '../support/debian-source.ts'
import { DOMAIN_CASES, NETWORK_CASES, type PartialCase } from '../support/partial-cases.ts'
import { privateHostMissing, startTestHost, type TestHost } from '../support/private-host.ts'
import { osContext, readPartials } from '../support/render-contexts.ts'

const partials = readPartials()
const golden = (name: string): string => fileURLToPath(new URL(`../golden/render/${name}.xml`, import.meta.url))
const render = ({ template, context, parameterNames }: PartialCase): string =>
  renderDomain({ template, partials, context, parameterNames })

const rendered = [
  ...DOMAIN_CASES.map((one) => ({ ...one, kind: 'domain' as const, xml: () => render(one) })),
  ...NETWORK_CASES.map((one) => ({
    ...one,
    kind: 'network' as const,
    xml: () => renderNetwork({ template: one.template, partials, context: one.context }),
  })),
]

for (const { name, xml } of rendered) {
  test(`${name} renders to its golden file`, (t) => {
    t.assert.fileSnapshot(xml(), golden(name), { serializers: [String] })
  })
}

for (const { suite, release } of [
  { suite: 'bookworm', release: '9.0' },
  { suite: 'trixie', release: '11.3' },
]) {
  test(`every rendering is valid by the schemas of libvirt ${release}`, async () => {
    const source = await debianSource('libvirt', { suite, only: ['tests', 'src/conf/schemas', 'docs/*.rst'] })
    const folder = mkdtempSync(join(tmpdir(), 'vmpkg-schema-'))
    try {
      for (const kind of ['domain', 'network'] as const) {
        const below = join(folder, kind)
        mkdirSync(below)
        const files = rendered
          .filter((one) => one.kind === kind && (release !== '9.0' || one.needsHost !== 'libvirt 11.0'))
          .map(({ name, xml }) => {
            writeFileSync(join(below, `${name}.xml`), xml())
            return join(below, `${name}.xml`)
          })
        const schema = join(source, 'src/conf/schemas', `${kind}.rng`)
        const { status, stderr } = spawnSync('xmllint', ['--noout', '--relaxng', schema, ...files], {
          encoding: 'utf8',
        })
        const faults = stderr.split('\n').filter((line) => line !== '' && !line.endsWith(' validates'))
        assert.equal(status, 0, faults.join('\n'))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

test('every partial stands in a golden rendering', () => {
  const used = new Set<string>()
  const visit = (text: string): void => {
    for (const [, name = ''] of text.matchAll(/\{\{> ([a-z0-9-]+)/g)) {
      if (used.has(name)) continue
      used.add(name)
      visit(partials[name] ?? '')
    }
  }
  for (const { template } of rendered) visit(template)
  const others = ['lifecycle', 'overlay-disk', 'nics', 'headless', 'display'] // of the shipped templates' own golden files
  assert.deepEqual(
    Object.keys(partials).filter((name) => !used.has(name) && !others.includes(name)),
    [],
  )
})

test('the table in docs/templates.md names every partial with its arguments', async () => {
  const text = await readFile(new URL('../../docs/templates.md', import.meta.url), 'utf8')
  const [, section = ''] = text.split('## Partials\n')
  const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `([a-z0-9-]+)` \| ([^|]*(?:\\\|[^|]*)*) \|/gm)]
  const table = Object.fromEntries(rows.map(([, name = '', args = '']) => [name, args.trim()]))
  const expected = Object.fromEntries(
    Object.entries(partials).map(([name, source]) => {
      const { declaration } = parseTemplate(name, source)
      const list = declaration?.arguments.map((one) => (one.required ? `**${one.name}**` : one.name)) ?? []
      return [name, list.join(', ')]
    }),
  )
  assert.deepEqual(table, expected)
})

test('the same machine renders to the same bytes, whatever the order of keys', () => {
  for (const one of DOMAIN_CASES) {
    const context = Object.fromEntries(Object.entries(one.context).toReversed()) as unknown as PartialCase['context']
    assert.equal(render({ ...one, context }), render(one), one.name)
    assert.equal(render(one), render(one))
  }
})

test('a partial refuses arguments that it does not have, that are missing, and words that it does not know', () => {
  const attempt = (devices: string): string => {
    try {
      return renderDomain({ template: `<domain>${devices}</domain>`, partials, context: osContext })
    } catch (error) {
      assert.ok(isVmpkgError(error), String(error))
      return `${error.code} ${error.message}`
    }
  }
  assert.match(attempt('{{> vsock cid=3}}'), /TEMPLATE_INVALID .*partial vsock has no argument "cid"; it has none/)
  assert.match(attempt('{{> input}}'), /RENDER_REFUSED .*partial input needs a value for type/)
  assert.match(attempt('{{> input type="pen"}}'), /RENDER_REFUSED .*takes tablet, mouse, .* for type, not "pen"/)
  assert.match(attempt('{{> iothreads count="4"}}'), /takes a number for count, not "4"/)
  // What stands around a partial does not reach it.
  assert.match(attempt('{{#each nics as |type|}}{{> input}}{{/each}}'), /needs a value for type/)
})

test('a partial of a newer libvirt names feature, releases and the line of the package', () => {
  const at = (libvirtVersion?: string): string => {
    const { host } = osContext
    const context = { ...osContext, host: libvirtVersion === undefined ? host : { ...host, libvirtVersion } }
    try {
      return renderDomain({ template: '<domain>\n\n  {{> panic model="pvpanic"}}\n</domain>', partials, context })
    } catch (error) {
      assert.ok(isVmpkgError(error, 'HOST_UNSUPPORTED'), String(error))
      assert.equal(error.details?.['template'], 'panic')
      return error.message
    }
  }
  assert.match(
    at('9.0.0'),
    /"domain\.xml\.hbs" \(line 3\): the panic device on PCI needs libvirt 9\.1, and this host has 9\.0\.0/,
  )
  assert.match(at(), /this host does not tell its release/)
  assert.match(at('9.1.0'), /<panic model='pvpanic'\/>/)
  assert.match(at('10.0.0'), /pvpanic/)
})

test('what a release lacks goes the documented other way, or is refused where there is none', () => {
  const find = (name: string): PartialCase => {
    const found = DOMAIN_CASES.find((one) => one.name === name)
    assert.ok(found !== undefined)
    return found
  }
  const on = (one: PartialCase, libvirtVersion: string): string =>
    render({ ...one, context: { ...one.context, host: { ...one.context.host, libvirtVersion } } })
  // Read-only virtiofs: 9p before 11.0.
  const folders = find('shared-folders-read-only')
  assert.match(on(folders, '11.0.0'), /<driver type='virtiofs'\/>[^]*<readonly\/>/)
  assert.match(on(folders, '10.10.0'), /<filesystem type='mount' accessmode='mapped'>[^]*<readonly\/>/)
  assert.doesNotMatch(on(folders, '10.10.0'), /virtiofs/)
  // passt: user networking before 9.2, but never without the ports that were asked for.
  assert.match(on(find('cards'), '9.2.0'), /<backend type='passt'\/>/)
  assert.doesNotMatch(on(find('cards'), '9.0.0'), /'passt'/)
  const refused = { code: 'HOST_UNSUPPORTED', message: /forwarding ports by passt needs libvirt 9\.2, .* has 9\.0\.0/ }
  assert.throws(() => on(find('passt'), '9.0.0'), refused)
})

test('virtiofs without shared memory is refused before libvirt does, whichever way it is written', () => {
  const folders = DOMAIN_CASES.find(({ name }) => name === 'shared-folders')
  assert.ok(folders !== undefined)
  const without = (text: string): string => folders.template.replace('{{> memory-backing shared=true}}', text)
  const attempt = (template: string): string => render({ ...folders, template })
  const refused = { code: 'RENDER_REFUSED', message: /memory is not shared/, hint: /memory-backing shared=true/ }
  assert.throws(() => attempt(without('')), refused)
  assert.throws(() => attempt(without('{{> memory-backing locked=true}}')), refused)
  const cells = `<cpu><numa><cell id='0' memory='1' memAccess='shared'/><cell id='1' memory='1'/></numa></cpu>`
  assert.throws(() => attempt(without(cells).replace('{{> cpu-tuned}}', '')), refused)
  assert.match(attempt(without(cells.replaceAll("memory='1'/>", "memory='1' memAccess='shared'/>"))), /virtiofs/)
})

const reason = await privateHostMissing()

test('a real libvirt 9.0 defines every rendering that the host has the devices for', { skip: reason }, async (t) => {
  let host: TestHost | undefined
  try {
    host = await startTestHost()
    const folder = mkdtempSync(join(tmpdir(), 'vmpkg-define-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const faults: string[] = []
    for (const { name, kind, xml, needsHost } of rendered) {
      const file = join(folder, `${name}.xml`)
      // TCG: the private host's capabilities decide about KVM, and none of these is started.
      const text = xml()
        .replace("<domain type='kvm'", "<domain type='qemu'")
        .replace(/<uuid>.*<\/uuid>\n/, '')
      writeFileSync(file, text)
      const verb = kind === 'domain' ? 'define' : 'net-define'
      const outcome: string | undefined = await host.virsh(verb, '--validate', file).then(
        () => undefined,
        (error: unknown) => String(error),
      )
      if (needsHost === undefined && outcome !== undefined) faults.push(`${name}: ${outcome}`)
      if (outcome === undefined && kind === 'domain') await host.virsh('undefine', '--nvram', name)
      if (outcome === undefined && kind === 'network') await host.virsh('net-undefine', nameOf(text))
    }
    assert.deepEqual(faults, [])
  } finally {
    await host?.stop()
  }
})

function nameOf(xml: string): string {
  return /<name>([^<]+)<\/name>/.exec(xml)?.[1] ?? ''
}
