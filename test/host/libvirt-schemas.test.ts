import assert from 'node:assert/strict'
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { readInstalledRelease, readInstalledSchema } from '../../src/host/libvirt-schemas.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { findSchemaFaults } from '../../src/xml/schema/validate.ts'
import { libvirtSource } from '../support/libvirt-corpus.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readInstalledRelease', () => {
  test('reads the release off the library’s link', async (t) => {
    const root = await makeTempFolder(t)
    assert.equal(await readInstalledRelease(root), undefined)
    const folder = join(root, 'usr/lib/x86_64-linux-gnu')
    await mkdir(folder, { recursive: true })
    await symlink('libvirt.so.0.11003.0', join(folder, 'libvirt.so.0'))
    assert.equal(await readInstalledRelease(root), '11.3.0')
  })
})

describe('readInstalledSchema', () => {
  test('reads the schemas below a root, each with what it includes', async (t) => {
    const root = await makeTempFolder(t)
    assert.equal(readInstalledSchema(root, 'domain.rng'), undefined)
    const folder = join(root, 'usr/share/libvirt/schemas')
    await cp(join(await libvirtSource('trixie'), 'src/conf/schemas'), folder, { recursive: true })
    const schema = readInstalledSchema(root, 'network.rng')
    assert.ok(schema !== undefined)
    const title = parseXml('<network><name>a</name><title>new in 9.7</title></network>')
    assert.deepEqual(findSchemaFaults(title, schema), [])

    await rm(join(folder, 'networkcommon.rng'))
    const unusable = (error: unknown): boolean => isVmpkgError(error, 'SCHEMA_UNUSABLE')
    assert.throws(() => readInstalledSchema(root, 'network.rng'), unusable)
    await writeFile(join(folder, 'network.rng'), '<nonsense/>')
    assert.throws(() => readInstalledSchema(root, 'network.rng'), unusable)
  })
})
