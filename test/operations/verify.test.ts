import assert from 'node:assert/strict'
import { chmod, open, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { ImageStore } from '../../src/image/store.ts'
import { sha256 } from '../../src/model/digest.ts'
import { downloadPackages } from '../../src/operations/download.ts'
import { update } from '../../src/operations/update.ts'
import { repair, verify } from '../../src/operations/verify.ts'
import { makeDownloadSite } from '../support/download-site.ts'
import { installedOf } from '../support/local-workspace.ts'

test('repair brings a damaged image of an installed package back', async (t) => {
  const site = await makeDownloadSite(t, [{ name: 'app-one' }])
  const workspace = await site.open({ write: true })
  await update(workspace)
  const [candidate] = site.find(workspace, 'app-one')
  assert.ok(candidate)
  ;(await downloadPackages(workspace, [candidate]))[Symbol.dispose]()
  workspace.installed.put(installedOf(candidate.line, { source: candidate.source }))
  const [image] = candidate.line.images
  assert.ok(image)
  const path = new ImageStore(workspace.paths.images).pathOf(image.digest)
  await chmod(path, 0o600)
  {
    await using file = await open(path, 'r+')
    await file.write(Buffer.from('damage'), 0, 6, 100)
  }
  await chmod(path, 0o444)
  const request = { packages: ['app-one'], full: true }
  const repairs = await repair(workspace, request)
  assert.deepEqual(
    repairs.map(({ what, outcome }) => [what, outcome]),
    [['image disk', 'repaired']],
  )
  assert.equal(sha256(await readFile(path)), image.digest)
  assert.deepEqual(await verify(workspace, request), [])
})
