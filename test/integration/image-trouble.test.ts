/** A few cases of the soak part `images`: as many as some seconds allow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { troubleImages } from '../soak/images.ts'
import { withoutLibvirt } from '../support/private-libvirt.ts'

const skip = process.getuid?.() === 0 ? withoutLibvirt : 'only root mounts file systems'

test('images that are killed at any moment, or meet a full disk at any byte, leave the old version whole and come in the end', {
  skip,
}, async () => {
  const seed = Number(process.env['VMPKG_SEED'] ?? 1)
  const cases = await troubleImages({
    seed,
    from: Math.floor(Date.now() / 1000) % 10_000,
    cases: 24,
    until: Date.now() + 20_000,
  })
  assert.ok(cases.length > 0)
})
