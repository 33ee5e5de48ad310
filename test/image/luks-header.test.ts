/** Oracles: QEMU opens, writes and reads the encrypted overlay; cryptsetup takes the passphrase for its LUKS header. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatLuksHeader, LUKS_HEADER_BYTES, newPassphrase, openLuksHeader } from '../../src/image/luks-header.ts'
import { parseQcow2Header } from '../../src/image/qcow2-header.ts'
import { writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { noise } from '../support/disk-image.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const RANDOMNESS = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) }
const UUID = '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001'
const SIZE = 4 * 2 ** 20

async function makeEncrypted(t: TestContext) {
  const folder = await makeTempFolder(t)
  const [backing, path] = [join(folder, 'base.raw'), join(folder, 'overlay.qcow2')]
  await writeFile(backing, noise('base', SIZE))
  const passphrase = newPassphrase(RANDOMNESS)
  const luks = formatLuksHeader(passphrase, UUID, RANDOMNESS)
  await writeOverlay({ path, backing, virtualSize: SIZE, luks })
  /** @param key the passphrase that QEMU is told */
  const qemu = (program: string, key: Uint8Array, ...words: readonly string[]) => {
    writeFileSync(join(folder, 'key'), key)
    const image = `driver=qcow2,file.driver=file,file.filename=${path},encrypt.format=luks,encrypt.key-secret=s`
    const secret = `secret,id=s,file=${join(folder, 'key')}`
    return execFileSync(program, [...words, '--object', secret, '--image-opts', image], { stdio: 'pipe' }).toString()
  }
  const io = (key: Uint8Array, ...commands: readonly string[]) =>
    qemu('qemu-io', key, ...commands.flatMap((command) => ['-c', command]))
  const check = (): string => qemu('qemu-img', passphrase, 'check')
  return { folder, backing, path, passphrase, luks, io, check }
}

test('QEMU finds no fault in an encrypted overlay, shows its base through it and gives back what is written', async (t) => {
  const { path, passphrase, io, check } = await makeEncrypted(t)
  check()
  const shown = io(passphrase, 'write -P 0x5a 1M 64k', 'read -P 0x5a 1M 64k')
  assert.doesNotMatch(shown, /Pattern verification failed/)
  check()
  assert.equal(parseQcow2Header(await readFile(path)).isEncrypted, true)
})

test('what is written does not stand in the file, and is not to be had with another passphrase', async (t) => {
  const { path, passphrase, io } = await makeEncrypted(t)
  io(passphrase, 'write -P 0x5a 1M 64k')
  assert.equal((await readFile(path)).includes(Buffer.alloc(64, 0x5a)), false)
  assert.throws(() => io(newPassphrase(RANDOMNESS), 'read 1M 64k'), /Invalid password/)
})

test('without encryption the same bytes do stand in the file', async (t) => {
  const { folder, backing } = await makeEncrypted(t)
  const path = join(folder, 'plain.qcow2')
  await writeOverlay({ path, backing, virtualSize: SIZE })
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x5a 1M 64k', path])
  assert.equal((await readFile(path)).includes(Buffer.alloc(64, 0x5a)), true)
})

test('cryptsetup takes the passphrase for it, and no other', {
  skip: !existsSync('/usr/sbin/cryptsetup'),
}, async (t) => {
  const { folder, passphrase, luks } = await makeEncrypted(t)
  const file = join(folder, 'header')
  const whole = Buffer.alloc(LUKS_HEADER_BYTES + 2 ** 20)
  luks.copy(whole)
  await writeFile(file, whole)
  assert.match(execFileSync('/usr/sbin/cryptsetup', ['luksDump', file]).toString(), /MK bits:\s+512/)
  const open = (key: Uint8Array) =>
    execFileSync('/usr/sbin/cryptsetup', ['open', '--test-passphrase', '--key-file', '-', file], {
      input: key,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  assert.doesNotThrow(() => open(passphrase))
  assert.throws(() => open(newPassphrase(RANDOMNESS)), /No key available/)
})

test('its own passphrase opens it to the key it was made with, another opens nothing', () => {
  const key = RANDOMNESS.bytes(64)
  const kept = Buffer.from(key)
  const passphrase = newPassphrase(RANDOMNESS)
  const header = formatLuksHeader(passphrase, UUID, RANDOMNESS, { iterations: 1234, key })
  assert.equal(header.readUInt32BE(208 + 4), 1234)
  assert.deepEqual(openLuksHeader(header, passphrase), kept)
  assert.deepEqual(key, new Uint8Array(64)) // the caller's copy is wiped
  assert.equal(openLuksHeader(header, newPassphrase(RANDOMNESS)), undefined)
})

test('what cryptsetup made, and a further passphrase of its own, open to the key that it shows', {
  skip: !existsSync('/usr/sbin/cryptsetup'),
}, async (t) => {
  const folder = await makeTempFolder(t)
  const [file, first, second] = ['header', 'first', 'second'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(first, 'one passphrase')
  writeFileSync(second, 'another passphrase')
  writeFileSync(file, Buffer.alloc(LUKS_HEADER_BYTES + 2 ** 20))
  const cryptsetup = (...args: readonly string[]): string =>
    execFileSync('/usr/sbin/cryptsetup', ['--batch-mode', ...args], { stdio: 'pipe' }).toString()
  const kind = '--type luks1 --cipher aes-xts-plain64 --key-size 512 --hash sha256 --pbkdf-force-iterations 1000'.split(
    ' ',
  )
  cryptsetup('luksFormat', ...kind, '--key-file', first, file)
  cryptsetup('luksAddKey', '--pbkdf-force-iterations', '1000', '--key-file', first, file, second)
  const shown = cryptsetup('luksDump', '--dump-master-key', '--key-file', first, file)
  const [, words = ''] = /MK dump:\s*([0-9a-f\s]+)/.exec(shown) ?? []
  const header = await readFile(file)
  for (const passphrase of ['one passphrase', 'another passphrase']) {
    assert.equal(openLuksHeader(header, Buffer.from(passphrase))?.toString('hex'), words.replaceAll(/\s/g, ''))
  }
  assert.equal(openLuksHeader(header, Buffer.from('a third')), undefined)
})

test('bytes that are no such header open to nothing, however they are damaged', () => {
  const passphrase = newPassphrase(RANDOMNESS)
  const header = formatLuksHeader(passphrase, UUID, RANDOMNESS)
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(header)
    copy.writeUInt32BE(value, at)
    return copy
  }
  for (const bytes of [
    Buffer.alloc(0),
    header.subarray(0, 4096),
    changed(0, 0),
    changed(8, 0x73657270), // another cipher
    changed(108, 32), // another length of the key
    changed(208, 0x0000dead), // no slot
    changed(208 + 4, 0), // no iterations
    changed(208 + 4, 0xffffffff), // iterations for years
    changed(208 + 40, 0xffffff), // a slot beyond the end
    changed(208 + 44, 4001), // other stripes
    changed(5000, 7), // key material
  ]) {
    assert.equal(openLuksHeader(bytes, passphrase), undefined)
  }
})

test('no two headers have a byte of key material in common that tells them apart from noise', () => {
  const passphrase = newPassphrase(RANDOMNESS)
  const [one, other] = [0, 1].map(() => formatLuksHeader(passphrase, UUID, RANDOMNESS).subarray(4096))
  assert.ok(one !== undefined && other !== undefined)
  const equal = one.filter((byte, index) => byte === other[index]).length
  assert.ok(equal < one.length / 128, `${equal} of ${one.length} bytes are equal`)
})
