/** Oracle: xmllint with the same schemas, over libvirt's test data and over mutations of it, of libvirt 9.0 and 11.3. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../../src/errors.ts'
import { parseXml } from '../../../src/xml/parse.ts'
import { readSchema, type Schema } from '../../../src/xml/schema/grammar.ts'
import { findSchemaFaults, requireSchemaValid } from '../../../src/xml/schema/validate.ts'
import type { XmlDocument } from '../../../src/xml/tree.ts'
import { libvirtCorpus, libvirtSource, parseCorpus, schemaFiles } from '../../support/libvirt-corpus.ts'
import { mutateXml } from '../../support/mutated-xml.ts'
import { Random } from '../../support/random.ts'
import { makeTempFolder } from '../../support/temp-folder.ts'

/** Those of the files that xmllint finds valid. */
function validByXmllint(schema: string, files: readonly string[]): ReadonlySet<string> {
  const valid = new Set<string>()
  for (let at = 0; at < files.length; at += 500) {
    const { stderr } = spawnSync('xmllint', ['--noout', '--relaxng', schema, ...files.slice(at, at + 500)], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    for (const [, path = ''] of stderr.matchAll(/^(\/.*) validates$/gm)) valid.add(path)
  }
  return valid
}

const isValid = (document: XmlDocument, schema: Schema): boolean => findSchemaFaults(document, schema).length === 0

for (const suite of ['bookworm', 'trixie']) {
  describe(`the schemas of libvirt in ${suite}`, () => {
    test('judge every document of libvirt’s tests as xmllint does', async () => {
      const folder = join(await libvirtSource(suite), 'src/conf/schemas')
      const readFile = await schemaFiles(suite)
      let [valid, invalid] = [0, 0]
      for (const [name, files] of await libvirtCorpus(suite)) {
        const schema = readSchema(readFile, name)
        const expected = validByXmllint(
          join(folder, name),
          files.map(({ path }) => path),
        )
        for (const { path, document } of parseCorpus(files)) {
          assert.equal(isValid(document, schema), expected.has(path), path)
          if (expected.has(path)) valid += 1
          else invalid += 1
        }
      }
      assert.ok(valid > 2700 && invalid > 20, `${valid} valid and ${invalid} invalid documents`)
    })

    test('judge changed documents as xmllint does', async (t) => {
      const folder = join(await libvirtSource(suite), 'src/conf/schemas')
      const temp = await makeTempFolder(t)
      const readFile = await schemaFiles(suite)
      const random = new Random(suite.length)
      let [valid, invalid] = [0, 0]
      for (const [name, files] of await libvirtCorpus(suite)) {
        const schema = readSchema(readFile, name)
        const changed = random
          .shuffle(parseCorpus(random.shuffle(files).slice(0, name === 'domain.rng' ? 600 : 60)))
          .map(({ text }, number) => ({ path: join(temp, `${name}-${number}.xml`), text: mutateXml(text, random) }))
        for (const { path, text } of changed) writeFileSync(path, text)
        const expected = validByXmllint(
          join(folder, name),
          changed.map(({ path }) => path),
        )
        for (const { path, text } of changed) {
          assert.equal(isValid(parseXml(text), schema), expected.has(path), text)
          if (expected.has(path)) valid += 1
          else invalid += 1
        }
      }
      assert.ok(valid > 300 && invalid > 300, `${valid} valid and ${invalid} invalid documents`)
    })
  })
}

describe('what a fault says', () => {
  const domain = (devices: string, head = ''): string =>
    `<domain type='kvm'>\n  <name>a</name>\n  <memory>1024</memory>\n${head}  <os>\n    <type>hvm</type>\n  </os>\n` +
    `  <devices>\n${devices}\n  </devices>\n</domain>\n`
  const faults = async (text: string, suite = 'bookworm') =>
    findSchemaFaults(parseXml(text), readSchema(await schemaFiles(suite), 'domain.rng'))
  const one = async (text: string, suite = 'bookworm') => {
    const found = await faults(text, suite)
    assert.equal(found.length, 1, JSON.stringify(found))
    return found[0]
  }

  test('an element that is not known there, with its line and what may stand there', async () => {
    const fault = await one(domain("    <disk type='file'>\n      <target dev='vda'/>\n      <sorce/>\n    </disk>"))
    assert.equal(fault?.path, '/domain/devices/disk/sorce')
    assert.equal(fault.line, 10)
    assert.equal(fault.reason, 'the element <sorce> is not allowed here')
    assert.ok(fault.allowed.includes('source') && !fault.allowed.includes('target'), fault.allowed.join(' '))
  })

  test('an attribute that is not known there; elements of one name are counted', async () => {
    const disk = "    <disk type='file'><target dev='vda'/></disk>"
    const fault = await one(domain(`${disk}\n    <disk type='file'><target dev='vdb' buss='virtio'/></disk>`))
    assert.equal(fault?.path, '/domain/devices/disk[2]/target/@buss')
    assert.match(fault.reason, /no attribute "buss"/)
    assert.deepEqual([...fault.allowed].toSorted(), ['bus', 'removable', 'rotation_rate', 'tray'])
  })

  test('a value, with the words or the limits that are allowed', async () => {
    const word = await one(domain("    <disk type='file' device='disc'><target dev='vda'/></disk>"))
    assert.equal(word?.path, '/domain/devices/disk/@device')
    assert.deepEqual(word.allowed, ['"floppy"', '"disk"', '"cdrom"'])
    const number = await one(domain('', "  <vcpu current='x'>2</vcpu>\n"))
    assert.equal(number?.path, '/domain/vcpu/@current')
    assert.deepEqual(number.allowed, ['text that matches [0-9]+'])
  })

  test('an attribute of another kind of the same element', async () => {
    const fault = await one(domain("    <disk type='file'><source dev='/dev/sda'/><target dev='vda'/></disk>"))
    assert.equal(fault?.path, '/domain/devices/disk/source/@dev')
    assert.ok(fault.allowed.includes('file'), fault.allowed.join(' '))
  })

  test('a missing attribute and a missing element', async () => {
    const attribute = await one(domain("    <disk type='file'><target bus='virtio'/></disk>"))
    assert.equal(attribute?.reason, '<target> lacks an attribute: dev')
    const element = await one("<domain type='kvm'>\n<memory>1</memory><os><type>hvm</type></os></domain>")
    assert.equal(element?.reason, 'the element <domain> is not complete: <name> is missing')
  })

  test('text that is not allowed', async () => {
    const fault = await one(domain('', '  <vcpu>many</vcpu>\n'))
    assert.equal(fault?.path, '/domain/vcpu')
    assert.equal(fault.reason, 'the text "many" is not allowed')
    const stray = await one(domain('    stray'))
    assert.equal(stray?.path, '/domain/devices')
  })

  test('each of several mistakes once', async () => {
    const found = await faults(domain("    <disk type='flie'><taget dev='vda'/></disk>\n    <sond/>"))
    assert.deepEqual(
      found.map(({ path }) => path),
      ['/domain/devices/disk/@type', '/domain/devices/disk/taget', '/domain/devices/disk', '/domain/devices/sond'],
    )
  })

  test('a whole document of another kind', async () => {
    const fault = await one('<network><name>a</name></network>')
    assert.equal(fault?.path, '/network')
    assert.deepEqual(fault.allowed, ['domain'])
  })

  test('as an error with release, place and what would be allowed', async () => {
    const document = parseXml(domain("    <disk type='file' device='disc'><target dev='vda'/></disk>"))
    const schema = readSchema(await schemaFiles('bookworm'), 'domain.rng')
    assert.throws(
      () => requireSchemaValid(document, schema, '9.0.0'),
      (error) => {
        assert.ok(isVmpkgError(error, 'SCHEMA_INVALID'))
        assert.equal(
          error.message,
          'libvirt 9.0.0 does not take this XML: /domain/devices/disk/@device (line 8): the value "disc" is not allowed',
        )
        assert.equal(error.hint, 'Allowed there: "floppy", "disk" or "cdrom".')
        return true
      },
    )
  })

  test('twenty faults at most', async () => {
    assert.equal((await faults(domain('    <sond/>\n'.repeat(50)))).length, 20)
  })
})
