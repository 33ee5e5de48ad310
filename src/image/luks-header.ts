/**
 * The LUKS header of an encrypted qcow2 file with a fresh key that nobody else has. Written here because qemu-img first
 * measures for two seconds how much it should stretch a passphrase, whatever it is told; one of 256 random bits needs no
 * stretching. One slot of eight is in use.
 *
 * Source: LUKS1 On-Disk Format Specification 1.2.3; QEMU crypto/block-luks.c for what it refuses to open.
 * Test oracles: `qemu-io`, `cryptsetup luksDump` and `--test-passphrase`.
 */
import { createCipheriv, createDecipheriv, hash, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import type { Randomness } from '../ports.ts'

const SECTOR = 512
const KEY_BYTES = 64 // two AES-256 keys, for XTS
const STRIPES = 4000 // the only number that QEMU takes
const SLOTS = 8
const SALT_BYTES = 32
const DIGEST_BYTES = 20
/** The least that LUKS allows. */
const ITERATIONS = 1000
const FIRST_SLOT_SECTOR = 4096 / SECTOR
const SLOT_SECTORS = Math.ceil((KEY_BYTES * STRIPES) / 4096) * (4096 / SECTOR)
const ENABLED = 0x00ac71f3
const DISABLED = 0x0000dead

/** Bytes of header and slots, as qcow2's own header names them. */
export const LUKS_HEADER_BYTES = (FIRST_SLOT_SECTOR + SLOTS * SLOT_SECTORS) * SECTOR
/** So much of it is written; what follows are slots that were never used. */
const USED_BYTES = (FIRST_SLOT_SECTOR + SLOT_SECTORS) * SECTOR

/** 256 random bits, as text: QEMU takes passphrases in UTF-8 only. */
export function newPassphrase(randomness: Randomness): Buffer {
  return Buffer.from(Buffer.from(randomness.bytes(32)).toString('base64'))
}

export interface LuksOptions {
  /** How often the passphrase is stretched; as often as LUKS demands where it is random anyway. */
  readonly iterations?: number
  /** 64 bytes; random ones by default. Overwritten here. */
  readonly key?: Uint8Array
}

/** The part of the header that is not zeros, for AES-256 in XTS mode; the key of the disk is in it and nowhere else. */
export function formatLuksHeader(
  passphrase: Uint8Array,
  uuid: string,
  randomness: Randomness,
  { iterations = ITERATIONS, key = randomness.bytes(KEY_BYTES) }: LuksOptions = {},
): Buffer {
  const bytes = Buffer.alloc(USED_BYTES)
  const [keySalt, slotSalt] = [randomness.bytes(SALT_BYTES), randomness.bytes(SALT_BYTES)]
  bytes.write('LUKS\xba\xbe', 0, 'latin1')
  bytes.writeUInt16BE(1, 6)
  bytes.write('aes', 8)
  bytes.write('xts-plain64', 40)
  bytes.write('sha256', 72)
  bytes.writeUInt32BE(LUKS_HEADER_BYTES / SECTOR, 104)
  bytes.writeUInt32BE(KEY_BYTES, 108)
  pbkdf2Sync(key, keySalt, ITERATIONS, DIGEST_BYTES, 'sha256').copy(bytes, 112)
  bytes.set(keySalt, 132)
  bytes.writeUInt32BE(ITERATIONS, 164)
  bytes.write(uuid, 168)
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = 208 + slot * 48
    bytes.writeUInt32BE(slot === 0 ? ENABLED : DISABLED, at)
    if (slot === 0) {
      bytes.writeUInt32BE(iterations, at + 4)
      bytes.set(slotSalt, at + 8)
    }
    bytes.writeUInt32BE(FIRST_SLOT_SECTOR + slot * SLOT_SECTORS, at + 40)
    bytes.writeUInt32BE(STRIPES, at + 44)
  }
  const slotKey = pbkdf2Sync(passphrase, slotSalt, iterations, KEY_BYTES, 'sha256')
  encryptSectors(slotKey, split(key, randomness)).copy(bytes, FIRST_SLOT_SECTOR * SECTOR)
  for (const secret of [key, slotKey]) secret.fill(0)
  return bytes
}

/**
 * The key that a passphrase opens, in whichever of the eight slots; undefined where it opens none, or where this is not a
 * header of the kind that is written here (cryptsetup's own further slots of it are read).
 */
export function openLuksHeader(bytes: Buffer, passphrase: Uint8Array): Buffer | undefined {
  const text = (at: number): string => bytes.toString('latin1', at, at + 32).replace(/\0.*$/s, '')
  if (bytes.length < USED_BYTES || bytes.toString('latin1', 0, 6) !== 'LUKS\xba\xbe' || bytes.readUInt16BE(6) !== 1)
    return
  if (text(8) !== 'aes' || text(40) !== 'xts-plain64' || text(72) !== 'sha256') return
  if (bytes.readUInt32BE(108) !== KEY_BYTES) return
  const [digest, salt] = [bytes.subarray(112, 112 + DIGEST_BYTES), bytes.subarray(132, 132 + SALT_BYTES)]
  const digestIterations = Math.min(bytes.readUInt32BE(164), MOST_ITERATIONS)
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = 208 + slot * 48
    const [iterations, sector] = [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 40)]
    const end = sector * SECTOR + SLOT_SECTORS * SECTOR
    const isUsable = iterations > 0 && iterations <= MOST_ITERATIONS && end <= bytes.length
    if (bytes.readUInt32BE(at) !== ENABLED || bytes.readUInt32BE(at + 44) !== STRIPES || !isUsable) continue
    const slotKey = pbkdf2Sync(passphrase, bytes.subarray(at + 8, at + 40), iterations, KEY_BYTES, 'sha256')
    const key = merge(decryptSectors(slotKey, bytes.subarray(sector * SECTOR, end)))
    slotKey.fill(0)
    if (timingSafeEqual(pbkdf2Sync(key, salt, digestIterations, DIGEST_BYTES, 'sha256'), digest)) return key
  }
  return undefined
}

/** Some hours; what says more wants to keep us busy. */
const MOST_ITERATIONS = 100_000_000

/** What `split` spread. */
function merge(material: Buffer): Buffer {
  const sum = Buffer.alloc(KEY_BYTES)
  for (let stripe = 0; stripe < STRIPES; stripe++) {
    xorInto(sum, material.subarray(stripe * KEY_BYTES, (stripe + 1) * KEY_BYTES))
    if (stripe < STRIPES - 1) diffuse(sum)
  }
  return sum
}

/** Section 2.4: the key spread over many stripes, of which each is needed. */
function split(key: Uint8Array, randomness: Randomness): Buffer {
  const material = Buffer.alloc(SLOT_SECTORS * SECTOR)
  const sum = Buffer.alloc(KEY_BYTES)
  for (let stripe = 0; stripe < STRIPES - 1; stripe++) {
    // No more than 64 KiB of randomness are given at once.
    if (stripe % 500 === 0) {
      material.set(randomness.bytes(KEY_BYTES * Math.min(500, STRIPES - 1 - stripe)), stripe * KEY_BYTES)
    }
    xorInto(sum, material.subarray(stripe * KEY_BYTES, (stripe + 1) * KEY_BYTES))
    diffuse(sum)
  }
  xorInto(sum, key)
  sum.copy(material, (STRIPES - 1) * KEY_BYTES)
  return material
}

const HASH_BYTES = 32

function diffuse(block: Buffer): void {
  const numbered = Buffer.alloc(4 + HASH_BYTES)
  for (let index = 0; index * HASH_BYTES < block.length; index++) {
    numbered.writeUInt32BE(index)
    block.copy(numbered, 4, index * HASH_BYTES, (index + 1) * HASH_BYTES)
    hash('sha256', numbered, 'buffer').copy(block, index * HASH_BYTES)
  }
}

function xorInto(target: Buffer, other: Uint8Array): void {
  for (let index = 0; index < target.length; index++) target[index] = (target[index] ?? 0) ^ (other[index] ?? 0)
}

function encryptSectors(key: Uint8Array, material: Buffer): Buffer {
  return eachSector(material, (vector) => createCipheriv('aes-256-xts', key, vector))
}

function decryptSectors(key: Uint8Array, material: Buffer): Buffer {
  return eachSector(material, (vector) => createDecipheriv('aes-256-xts', key, vector))
}

/** `plain64`: the initial vector is the number of the sector. */
function eachSector(
  material: Buffer,
  makeCipher: (vector: Buffer) => { update(data: Buffer): Buffer; final(): Buffer },
): Buffer {
  const sectors: Buffer[] = []
  for (let at = 0; at < material.length; at += SECTOR) {
    const vector = Buffer.alloc(16)
    vector.writeBigUInt64LE(BigInt(at / SECTOR))
    const cipher = makeCipher(vector)
    sectors.push(cipher.update(material.subarray(at, at + SECTOR)), cipher.final())
  }
  return Buffer.concat(sectors)
}
