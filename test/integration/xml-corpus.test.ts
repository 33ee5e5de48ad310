/** Zero exceptions over real documents; libxml2 says what is XML. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { xmlCorpus } from '../support/xml-corpus.ts'

test("every XML file of Debian's libvirt and virt-manager sources comes back byte for byte", async (t) => {
  const { files, sizeBytes, left } = await xmlCorpus()
  const exceptions = files.filter(({ bytes }) => {
    try {
      return !bytes.equals(Buffer.from(formatXml(parseXml(bytes.toString('utf8')))))
    } catch {
      return true
    }
  })
  t.diagnostic(`${files.length} files, ${sizeBytes} bytes, ${exceptions.length} exceptions`)
  t.diagnostic(`left out: ${left.notXml} that xmllint refuses, ${left.doctype} with a DOCTYPE`)
  assert.deepEqual(
    exceptions.map(({ name }) => name),
    [],
  )
  assert.ok(files.length > 7500, `only ${files.length} files`)
})
