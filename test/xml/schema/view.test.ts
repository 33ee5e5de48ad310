/** Every document of libvirt's tests through the views: all of it is reachable, and edits change what they address. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../../src/errors.ts'
import { childElements, getAttribute, getText } from '../../../src/xml/find.ts'
import { parseXml } from '../../../src/xml/parse.ts'
import { elementType, rootType } from '../../../src/xml/schema/facts.ts'
import { readSchema } from '../../../src/xml/schema/grammar.ts'
import { declaredBy, isDeclaration, NO_NAMESPACES } from '../../../src/xml/schema/namespaces.ts'
import { findSchemaFaults } from '../../../src/xml/schema/validate.ts'
import { type View, viewDocument } from '../../../src/xml/schema/view.ts'
import type { DocumentViews } from '../../../src/xml/schema/view-types.ts'
import { formatXml, type XmlElement } from '../../../src/xml/tree.ts'
import { libvirtCorpus, parseCorpus, SCHEMA_OF_ROOT, schemaFiles } from '../../support/libvirt-corpus.ts'
import { Random } from '../../support/random.ts'

/** A view without its types: for tests that go over all names. */
type AnyView = View &
  Record<string, unknown> & { $insert: (name: string) => AnyView; $ensure: (name: string) => AnyView }

const open = (document: ReturnType<typeof parseXml>): AnyView =>
  viewDocument(document, document.root.name as keyof DocumentViews) as unknown as AnyView

interface Step {
  readonly view: AnyView
  readonly type: number
  readonly parent: Step | undefined
  readonly name: string
}

/** Every element below (and with) a view whose name its schema knows, found through views alone. */
function* walk(step: Step): Generator<Step> {
  yield step
  for (const [name, { type, many }] of elementType(step.type).children) {
    if (name === '*') continue
    const found = step.view[name]
    const views = many ? found : found === undefined ? [] : [found]
    assert.ok(Array.isArray(views), name)
    for (const view of views as AnyView[]) yield* walk({ view, type, parent: step, name })
  }
}

const steps = (document: ReturnType<typeof parseXml>): Step[] => [
  ...walk({ view: open(document), type: rootType(document.root.name) ?? -1, parent: undefined, name: '' }),
]

describe('a view', () => {
  for (const suite of ['bookworm', 'trixie']) {
    test(`reaches every element, attribute and text of the valid documents of ${suite}`, async () => {
      const newer = await schemaFiles('trixie')
      let [elements, attributes] = [0, 0]
      for (const [name, files] of await libvirtCorpus(suite)) {
        const schema = readSchema(newer, name)
        for (const { path, document } of parseCorpus(files)) {
          if (findSchemaFaults(document, schema).length > 0) continue
          const reached = new Map(steps(document).map((step) => [step.view.$element, step]))
          const visit = (element: XmlElement, outer: typeof NO_NAMESPACES): void => {
            const namespaces = declaredBy(element, outer)
            const step = reached.get(element)
            assert.ok(step !== undefined, `${path}: <${element.name}>`)
            elements += 1
            const facts = elementType(step.type)
            for (const { name: attribute } of element.attributes) {
              if (isDeclaration(attribute)) continue
              const key = facts.children.has(attribute) ? `@${attribute}` : attribute
              assert.equal(step.view[key], getAttribute(element, attribute), `${path}: ${element.name}/@${attribute}`)
              attributes += 1
            }
            if (facts.text !== undefined) assert.equal(step.view['$text'], getText(element))
            else assert.match(getText(element), /^\s*$/, `${path}: text of <${element.name}>`)
            if (facts.children.has('*')) return
            for (const child of childElements(element)) visit(child, namespaces)
          }
          visit(document.root, NO_NAMESPACES)
        }
      }
      assert.ok(elements > 60_000 && attributes > 80_000, `${elements} elements, ${attributes} attributes`)
    })
  }

  test('has a type for each row of the facts, with every name in it', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../src/xml/schema/view-types.ts'), 'utf8')
    const interfaces = new Map(
      [...text.matchAll(/^export interface (\w+) extends View \{([^]*?)\}$/gm)].map(([, name = '', body = '']) => [
        name,
        new Set(
          [...body.matchAll(/^ {2}(?:\/\*\*.*?\*\/ )?(?:readonly )?(?:'([^']+)'|([\w$]+)): /gm)].map(
            ([, a, b]) => a ?? b,
          ),
        ),
      ]),
    )
    const seen = new Set<number>()
    const visit = (number: number): void => {
      if (seen.has(number)) return
      seen.add(number)
      const { name, attributes, children, text: values } = elementType(number)
      const wanted = [...attributes.keys()].map((key) => (children.has(key) ? `@${key}` : key))
      const names = [...(values === undefined ? [] : ['$text']), ...wanted, ...children.keys()]
      assert.deepEqual(new Set(interfaces.get(name)), new Set(names.filter((key) => key !== '*' && key !== '@*')), name)
      for (const { type } of children.values()) visit(type)
    }
    for (const root of Object.keys(SCHEMA_OF_ROOT)) visit(rootType(root) ?? -1)
    assert.equal(seen.size, interfaces.size)
  })

  test('sets one attribute or text and changes nothing else; what was there brings back the bytes', async () => {
    const random = new Random(7)
    const documents = [...(await libvirtCorpus('trixie')).values()].flatMap((files) =>
      parseCorpus(random.shuffle(files).slice(0, 40)),
    )
    let edits = 0
    for (const { path, text, document } of documents) {
      for (const { view, type } of random.shuffle(steps(document)).slice(0, 10)) {
        const { attributes } = elementType(type)
        const present = view.$element.attributes.find(({ name }) => attributes.has(name))
        if (present === undefined) continue
        const key = elementType(type).children.has(present.name) ? `@${present.name}` : present.name
        const { raw } = present
        view[key] = `new-${edits}`
        const changed = formatXml(document)
        const at = changed.indexOf(`new-${edits}`)
        assert.equal(changed.slice(0, at), text.slice(0, at), path)
        assert.equal(changed.slice(at + `new-${edits}`.length), text.slice(at + raw.length), path)
        present.raw = raw
        assert.equal(formatXml(document), text, path)
        edits += 1
      }
    }
    assert.ok(edits > 2000, `${edits} edits`)
  })

  test('puts a child that was taken out back where libvirt’s schema takes it', async () => {
    const random = new Random(11)
    const newer = await schemaFiles('trixie')
    let [edits, same] = [0, 0]
    for (const [name, files] of await libvirtCorpus('trixie')) {
      const schema = readSchema(newer, name)
      for (const { path, document } of parseCorpus(random.shuffle(files).slice(0, name === 'domain.rng' ? 300 : 40))) {
        if (findSchemaFaults(document, schema).length > 0) continue
        for (let round = 0; round < 4; round += 1) {
          const step = random.pick(steps(document))
          const { parent, view } = step
          if (parent === undefined || elementType(parent.type).children.get(step.name)?.many === true) continue
          const siblings = childElements(parent.view.$element)
          const { attributes, children } = view.$element
          const place = siblings.indexOf(view.$element)
          view.$remove()
          const added = parent.view.$insert(step.name).$element
          added.attributes = attributes
          added.children = children
          assert.deepEqual(findSchemaFaults(document, schema), [], `${path}: ${step.name}`)
          edits += 1
          if (childElements(parent.view.$element).indexOf(added) === place) same += 1
        }
      }
    }
    assert.ok(edits > 500, `${edits} edits`)
    assert.ok(same / edits > 0.9, `${same} of ${edits} where they were`)
  })
})

describe('viewDocument', () => {
  const text = `<domain type='kvm'>
  <name>a</name>
  <devices>
    <disk type='file' device='disk'>
      <source file='/a'/>
      <backingStore type='file'>
        <source file='/b'/>
        <backingStore type='file'><source file='/c'/></backingStore>
      </backingStore>
    </disk>
    <graphics type='spice' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
  </devices>
</domain>
`
  const domain = () => {
    const document = parseXml(text)
    return { document, view: viewDocument(document, 'domain') }
  }

  test('reads by name, typed, through elements that hold themselves', () => {
    const { view } = domain()
    const disk = view.devices?.disk[0]
    const kind: 'file' | undefined = disk?.type === 'file' ? disk.type : undefined
    assert.equal(kind, 'file')
    assert.equal(disk?.source?.file, '/a')
    assert.equal(disk?.backingStore?.backingStore?.source?.file, '/c')
    assert.equal(view.name?.$text, 'a')
    assert.equal(view.title, undefined)
    assert.equal(disk?.serial?.$text, undefined)
    assert.equal(view.$element.name, 'domain')
    assert.ok('title' in view && !('sond' in view))
  })

  test('keeps an attribute and a child of one name apart', () => {
    const graphics = domain().view.devices?.graphics[0]
    assert.equal(graphics?.['@listen'], '127.0.0.1')
    assert.equal(graphics?.listen[0]?.address, '127.0.0.1')
  })

  test('inserts where libvirt writes it, indented, and removes without a trace', () => {
    const { document, view } = domain()
    const disk = view.devices?.disk[0]
    assert.ok(disk !== undefined)
    const target = disk.$insert('target')
    target.dev = 'vda'
    target.bus = 'virtio'
    disk.$ensure('driver').name = 'qemu'
    view.$ensure('title').$text = 'a < b'
    assert.equal(
      formatXml(document),
      text
        .replace("      <source file='/a'/>\n", "      <driver name='qemu'/>\n      <source file='/a'/>\n")
        .replace(
          '      </backingStore>\n    </disk>',
          "      </backingStore>\n      <target dev='vda' bus='virtio'/>\n    </disk>",
        )
        .replace('</name>\n', '</name>\n  <title>a &lt; b</title>\n'),
    )
    target.$remove()
    disk.driver?.$remove()
    view.title?.$remove()
    assert.equal(formatXml(document), text)
  })

  test('takes an attribute away by undefined or delete', () => {
    const { document, view } = domain()
    const disk = view.devices?.disk[0]
    assert.ok(disk !== undefined)
    disk.device = undefined
    assert.equal(formatXml(document), text.replace(" device='disk'", ''))
  })

  test('declares another namespace where it is not in scope, and uses the prefix where it is', () => {
    const { document, view } = domain()
    view.$ensure('qemu:commandline').$insert('qemu:arg').value = '-x'
    assert.match(formatXml(document), /<qemu:commandline xmlns:qemu=.*><qemu:arg value='-x'\/><\/qemu:commandline>/)
    const other = parseXml(text.replace('<domain', "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'"))
    viewDocument(other, 'domain').$ensure('qemu:commandline')
    assert.match(formatXml(other), /<q:commandline\/>/)
    assert.equal(viewDocument(other, 'domain')['qemu:commandline']?.$element.name, 'q:commandline')
  })

  test('refuses a second child where one may stand, another root, and names that no schema has', () => {
    const { view } = domain()
    assert.throws(
      () => view.$insert('name'),
      (error) => isVmpkgError(error, 'XML_INVALID') && error.message.includes('<name>'),
    )
    assert.throws(
      () => viewDocument(parseXml('<network/>'), 'domain'),
      (error) => isVmpkgError(error, 'XML_INVALID') && error.message.includes('<network>'),
    )
    assert.throws(() => Object.assign(view, { sond: 'x' }), TypeError)
    assert.throws(() => Object.assign(view, { devices: undefined }), TypeError)
    // @ts-expect-error no such child
    assert.throws(() => view.$insert('sond'), TypeError)
    // @ts-expect-error not a word of the schema
    view.type = 'kvmm'
    assert.equal(view.type, 'kvmm')
  })
})
