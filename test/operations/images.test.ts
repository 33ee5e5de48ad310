import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { CatalogueEntry } from '../../src/catalogue/catalogue.ts'
import { ImageStore } from '../../src/image/store.ts'
import { downloadPackages, measureDownload } from '../../src/operations/download.ts'
import { update } from '../../src/operations/update.ts'
import { writeEditedImages } from '../support/delta-images.ts'
import { makeDownloadSite } from '../support/download-site.ts'

/** Two versions of a package at a registry, and the plan of how the later one's image comes. */
async function prepare(t: TestContext) {
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-test-'))
  t.after(async () => rm(work, { recursive: true }))
  const [before, after] = [join(work, 'before'), join(work, 'after')]
  await writeEditedImages(before, after)
  const versions = await Promise.all([before, after].map(async (file) => readFile(file)))
  const [old, now] = versions.map((disk, number) => ({ name: 'app-one', version: `1.${number}`, images: { disk } }))
  assert.ok(old && now)
  const site = await makeDownloadSite(t, [old], { later: [now] })
  const workspace = await site.open({ write: true })
  await update(workspace)
  const entry = (version: string): CatalogueEntry => {
    const found = site.find(workspace, 'app-one').find(({ line }) => line.version === version)
    assert.ok(found)
    return found
  }
  return { workspace, site, old: entry('1.0'), now: entry('1.1') }
}

describe('fetchImage', () => {
  test('takes the delta from the version that is here, as the plan without a request has said', async (t) => {
    const { workspace, site, old, now } = await prepare(t)
    const [image] = now.line.images
    assert.ok(image)
    const full = now.transport.images[image.digest]?.fullBytes ?? 0
    assert.ok((await measureDownload(workspace, [now])).downloadBytes >= full)
    using first = await downloadPackages(workspace, [old])
    assert.equal(first.packages.length, 1)
    const planned = await measureDownload(workspace, [now])
    assert.ok(planned.downloadBytes < full / 3, `${planned.downloadBytes} of ${full} bytes`)
    site.events.length = 0
    using second = await downloadPackages(workspace, [now])
    assert.equal(second.packages.length, 1)
    const plan = site.events.find((event) => event.type === 'transfer-planned')
    assert.equal(plan?.chosen.kind, 'delta')
    assert.ok(plan.chosen.bytes + plan.indexBytes <= (plan.expectedBytes ?? 0))
    assert.equal(planned.downloadBytes, (plan.expectedBytes ?? 0) + now.line.package.size)
    await new ImageStore(workspace.paths.images).verify(image, { isFull: true })
  })
})
