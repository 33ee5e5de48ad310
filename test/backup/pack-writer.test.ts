/** Packs are written once, and read back by `zstd`. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { prepareBackupFolder } from '../../src/backup/folder.ts'
import { readPack } from '../../src/backup/pack-reader.ts'
import { PackWriter } from '../../src/backup/pack-writer.ts'
import { PLAIN_SEALER } from '../../src/backup/sealing.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const digestOf = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

test('parts that the folder has are not written again, and a later backup names the packs that it needs', async (t) => {
  const folder = join(await makeTempFolder(t), 'b')
  await prepareBackupFolder(folder)
  const parts = Array.from({ length: 90 }, () => randomBytes(256 * 1024))
  const first = new PackWriter(folder, PLAIN_SEALER, [])
  for (const part of [...parts, ...parts]) await first.add(digestOf(part), part)
  const packs = await first.finish()
  assert.equal(packs.length, 2, 'they are closed at 16 MiB')
  assert.equal(
    first.addedBytes,
    packs.reduce((sum, { size }) => sum + size, 0),
  )

  const second = new PackWriter(folder, PLAIN_SEALER, packs)
  const [some = Buffer.alloc(0)] = parts
  const more = randomBytes(1000)
  for (const part of [some, more]) await second.add(digestOf(part), part)
  const needed = await second.finish()
  assert.equal(needed.length, 2, 'the old pack with that part, and the new one')
  assert.ok(second.addedBytes < 1100)

  const files = readdirSync(join(folder, '.vmpkg', 'packs'), { recursive: true, withFileTypes: true })
  const paths = files.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  assert.equal(paths.length, 3)
  const whole = Buffer.concat(paths.map((path) => execFileSync('zstd', ['-dc', path], { maxBuffer: 64 * 1024 * 1024 })))
  assert.equal(whole.length, 90 * 256 * 1024 + 1000)

  const found = new Map<string, Buffer>()
  for (const pack of packs) {
    for await (const { digest, bytes } of readPack(folder, pack, undefined, () => true)) found.set(digest, bytes)
  }
  for (const part of parts) assert.ok(found.get(digestOf(part).toString('hex'))?.equals(part))
})

test('a pack with another byte in it is refused', async (t) => {
  const folder = join(await makeTempFolder(t), 'b')
  await prepareBackupFolder(folder)
  const writer = new PackWriter(folder, PLAIN_SEALER, [])
  const part = randomBytes(5000)
  await writer.add(digestOf(part), part)
  const [pack] = await writer.finish()
  assert.ok(pack !== undefined)
  const path = join(folder, '.vmpkg', 'packs', pack.sha256.slice(0, 2), pack.sha256)
  const bytes = readFileSync(path)
  bytes[100] = (bytes[100] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const reading = Array.fromAsync(readPack(folder, pack, undefined, () => true))
  await assert.rejects(reading, (error) => isVmpkgError(error, 'BACKUP_INVALID'))
})
