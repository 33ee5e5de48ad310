import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import type { Channels } from '../../src/model/registry.ts'
import { formatChannels, formatSignedFile } from '../../src/model/registry-schema.ts'
import { signFile } from '../../src/publish/signer.ts'
import { verifyChannels } from '../../src/trust/channels.ts'
import type { TrustMarks } from '../../src/trust/marks.ts'
import { openPinnedRoot, type TrustedRoot } from '../../src/trust/root-chain.ts'
import { markVerified } from '../../src/trust/verified.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

describe('verifyChannels', () => {
  let registry: TestRegistry
  let root: TrustedRoot
  before(async () => {
    registry = await buildRegistry()
    root = await openPinnedRoot(
      await readFile(join(registry.folder, 'root/1.json')),
      registry.pin,
      registry.clock.now(),
    )
  })
  after(async () => registry[Symbol.asyncDispose]())

  const files = new Map<string, Uint8Array>() // signing the same twice gives two files

  /** The file says `inside`, the envelope that it is version `named`. */
  const verify = async (inside: Partial<Channels>, named: number, seen?: TrustMarks['channels']) => {
    const { firstEnvelope, promoter, pin, clock } = registry
    const { registryId } = firstEnvelope
    const payload = formatChannels({ registryId, version: named, entries: [], ...inside })
    const key = Buffer.from(payload).toString()
    const file = files.get(key) ?? formatSignedFile(await signFile([promoter], 'promoter', 'channels', payload))
    files.set(key, file)
    const channels = { sha256: sha256(file), size: file.length, version: named }
    const marks: TrustMarks = { registryId, root: pin, ...(seen === undefined ? {} : { channels: seen }) }
    const envelope = markVerified({ ...firstEnvelope, channels })
    const result = await verifyChannels({ file, envelope, root, marks, keysAt: clock.now() })
    return { ...result, sha256: channels.sha256 }
  }

  test('accepts the file that the envelope means, for the first time, again and newer', async () => {
    const { version, sha256: digest } = await verify({}, 3)
    assert.equal(version, 3)
    await verify({}, 3, { version: 3, sha256: digest })
    await verify({}, 3, { version: 2, sha256: sha256('older') })
  })

  test('refuses another version than the envelope says, and another registry', async () => {
    await assert.rejects(verify({ version: 2 }, 3), { code: 'CHANNELS_INVALID' })
    await assert.rejects(verify({ registryId: 'f'.repeat(32) }, 3), { code: 'CHANNELS_INVALID' })
  })

  test('refuses an older version and another of the same number', async () => {
    await assert.rejects(verify({}, 3, { version: 4, sha256: sha256('newer') }), { code: 'CHANNELS_ROLLED_BACK' })
    await assert.rejects(verify({}, 3, { version: 3, sha256: sha256('other') }), { code: 'CHANNELS_ROLLED_BACK' })
  })

  test('refuses other bytes than the envelope names, and what is no such file', async () => {
    const { firstEnvelope, pin, clock } = registry
    const file = Buffer.from('{}')
    const marks: TrustMarks = { registryId: firstEnvelope.registryId, root: pin }
    const check = (digest: string) => {
      const channels = { sha256: sha256(digest), size: 2, version: 1 }
      const envelope = markVerified({ ...firstEnvelope, channels })
      return verifyChannels({ file, envelope, root, marks, keysAt: clock.now() })
    }
    await assert.rejects(check('other'), { code: 'DIGEST_MISMATCH', message: /^The channels file/ })
    await assert.rejects(check('{}'), { code: 'CHANNELS_INVALID', message: /^The channels file/ })
  })
})
