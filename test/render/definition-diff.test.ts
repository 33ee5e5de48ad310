/** Oracle: patch(1) makes the new text of the old one. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { diffDefinitions, layOut } from '../../src/render/definition-diff.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const OLD = "<domain type='kvm'><name>a</name><!-- note --><devices><disk dev='vda'/></devices></domain>"
const NEW = "<domain type='kvm'>\n  <name>a</name>\n  <devices><disk dev='vda'/><disk dev='vdb'/></devices>\n</domain>"
const text = (xml: string): string => `${layOut(parseXml(xml).root).join('\n')}\n`

test('texts that say the same do not differ, whatever their layout', () => {
  assert.equal(diffDefinitions('x', OLD, OLD.replaceAll('><', '>\n    <')), '')
})

test('a difference has a head with the name, and patch understands it', async (t) => {
  const patch = diffDefinitions('domain/a.xml', OLD, NEW)
  assert.match(patch, /^--- a\/domain\/a\.xml\n\+\+\+ b\/domain\/a\.xml\n@@ /)
  assert.match(patch, /^\+ {4}<disk dev='vdb'\/>$/m)
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'domain'))
  await writeFile(join(folder, 'domain', 'a.xml'), text(OLD))
  execFileSync('patch', ['-p1', '-d', folder], { input: `${patch}\n`, stdio: ['pipe', 'ignore', 'inherit'] })
  assert.equal(await readFile(join(folder, 'domain', 'a.xml'), 'utf8'), text(NEW))
})
