import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { isVmpkgError, VmpkgError } from '../../src/errors.ts'
import { emitNothing } from '../../src/events.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import type { Processes } from '../../src/ports.ts'
import { buildPackage, type FetchUpstreamDisk } from '../../src/publish/build-package.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const RECIPE = `recipe: 1
suite: bookworm
variant: extract
epoch: 2026-11-01T00:00:00Z
packages: [busybox-static]
kernel: { package: linux-image-cloud-amd64, modules: [] }
keep: [bin/busybox]
outputs: [{ role: kernel }]
`

const manifest = (images: string): Manifest =>
  parseManifest(`{vmpkg: 1, name: tiny, version: "1", arch: amd64, kind: app, summary: x, license: MIT, ${images}
    templates: {domain: domain.xml.hbs}}`)

async function makeInput(t: TestContext): Promise<{ packageDir: string; outDir: string; cacheDir: string }> {
  const folder = await makeTempFolder(t)
  const packageDir = join(folder, 'tiny')
  await mkdir(packageDir)
  await writeFile(join(packageDir, 'recipe.yaml'), RECIPE)
  return { packageDir, outDir: join(folder, 'out'), cacheDir: join(folder, 'cache') }
}

const attempt = (
  input: Awaited<ReturnType<typeof makeInput>>,
  options: {
    readonly processes?: Processes
    readonly mirror?: URL
    readonly signal?: AbortSignal
    readonly manifest?: Manifest
  },
): ReturnType<typeof buildPackage> =>
  buildPackage({
    ...input,
    manifest: manifest('images: {recipe: recipe.yaml},'),
    processes: systemProcesses,
    emit: emitNothing,
    ...options,
  })

const refused = (error: unknown): boolean => isVmpkgError(error, 'RECIPE_INVALID')

describe('buildPackage', () => {
  test('reports what mmdebstrap said when the mirror is not there, and leaves nothing behind', async (t) => {
    const input = await makeInput(t)
    const mirror = pathToFileURL(join(input.packageDir, 'no-mirror'))
    await assert.rejects(attempt(input, { mirror }), (error) => {
      assert.ok(isVmpkgError(error, 'BUILD_FAILED'), String(error))
      assert.match(error.message, /mmdebstrap/)
      assert.match(error.message, /no-mirror/)
      return true
    })
    assert.deepEqual(await readdir(input.outDir), [])
  })

  test('takes the disk of a vendor as it comes, and writes down who vouches for it', async (t) => {
    const input = await makeInput(t)
    await writeFile(join(input.packageDir, 'recipe.yaml'), 'recipe: 1\nvariant: upstream\nfrom: acme:1.2:disk\n')
    await writeFile(join(input.packageDir, 'vmpkg.yaml'), 'vmpkg: 1\n')
    await writeFile(join(input.packageDir, 'domain.xml.hbs'), '<domain/>')
    const fetchUpstream: FetchUpstreamDisk = async ({ from }, { target }) => {
      await writeFile(target, 'disk')
      return [`${from} sha256:x`, 'signed by K']
    }
    const options = {
      manifest: manifest('images: {recipe: recipe.yaml},'),
      processes: systemProcesses,
      emit: emitNothing,
    }
    const { folder, images } = await buildPackage({ ...input, ...options, fetchUpstream })
    assert.deepEqual(images, [{ role: 'disk', format: 'raw', digest: sha256('disk'), size: 4, file: 'images/disk' }])
    assert.equal(await readFile(join(folder, 'packages.list'), 'utf8'), 'acme:1.2:disk sha256:x\nsigned by K\n')
    await assert.rejects(attempt(input, {}), refused, 'nobody here can fetch it')
  })

  test('passes on that a tool is missing', async (t) => {
    const input = await makeInput(t)
    const processes: Processes = {
      run: async (program) => Promise.reject(new VmpkgError('TOOL_MISSING', `The program ${program} is not there`)),
    }
    await assert.rejects(attempt(input, { processes, mirror: new URL('file:///none') }), (error) =>
      isVmpkgError(error, 'TOOL_MISSING'),
    )
    assert.deepEqual(await readdir(input.outDir), [])
  })

  test('stops when it is told to', async (t) => {
    const input = await makeInput(t)
    const signal = AbortSignal.abort()
    await assert.rejects(attempt(input, { signal, mirror: new URL('file:///none') }), (error) =>
      isVmpkgError(error, 'ABORTED'),
    )
    assert.deepEqual(await readdir(input.outDir), [])
  })

  test('makes a package without a recipe as one without images', async (t) => {
    const input = await makeInput(t)
    await writeFile(join(input.packageDir, 'domain.xml.hbs'), '<domain/>')
    const { folder, images } = await attempt(input, { manifest: manifest('') })
    assert.deepEqual(images, [])
    assert.equal(await readFile(join(folder, 'images.json'), 'utf8'), '[]\n')
    assert.equal(await readFile(join(folder, 'packages.list'), 'utf8'), '')
  })

  test('refuses a package whose recipe is not there', async (t) => {
    const input = await makeInput(t)
    await assert.rejects(attempt(input, { manifest: manifest('images: {recipe: other.yaml},') }), refused)
  })
})
