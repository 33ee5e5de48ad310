import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import { copyPackageFiles } from '../../src/publish/package-files.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const manifest = parseManifest(`{vmpkg: 1, name: tiny, version: "1", arch: amd64, kind: app, summary: x, license: MIT,
  templates: {domain: domain.xml.hbs}, guest: {files: guest/}}`)

describe('copyPackageFiles', () => {
  test('ships manifest, templates and guest files, and keeps recipe and image sources back', async (t) => {
    const folder = await makeTempFolder(t)
    const from = join(folder, 'from')
    await mkdir(join(from, 'guest'), { recursive: true })
    await mkdir(join(from, 'image/etc'), { recursive: true })
    for (const name of ['vmpkg.yaml', 'domain.xml.hbs', 'recipe.yaml', 'guest/a.env.hbs', 'image/etc/x', 'notes.txt']) {
      await writeFile(join(from, name), name)
    }
    await copyPackageFiles(from, manifest, join(folder, 'to'))
    assert.deepEqual(await listTree(join(folder, 'to')), ['domain.xml.hbs', 'guest', 'guest/a.env.hbs', 'vmpkg.yaml'])
  })

  test('refuses a manifest that names what is not there, and links among guest files', async (t) => {
    const folder = await makeTempFolder(t)
    const from = join(folder, 'from')
    await mkdir(from)
    await writeFile(join(from, 'vmpkg.yaml'), '')
    const target = join(folder, 'to')
    await assert.rejects(copyPackageFiles(from, manifest, target), (error) => isVmpkgError(error, 'MANIFEST_INVALID'))
    await mkdir(join(from, 'guest'))
    await assert.rejects(copyPackageFiles(from, manifest, target), (error) => isVmpkgError(error, 'MANIFEST_INVALID'))
    await symlink('/etc/passwd', join(from, 'guest/a'))
    await assert.rejects(copyPackageFiles(from, manifest, target), (error) => isVmpkgError(error, 'RECIPE_INVALID'))
  })
})
