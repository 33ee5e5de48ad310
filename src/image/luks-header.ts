/**
 * The LUKS header of an encrypted qcow2 file with a fresh key that nobody else has. Written here because qemu-img first
 * measures for two seconds how much it should stretch a passphrase, whatever it is told; one of 256 random bits needs no
 * stretching. One slot of eight is in use.
 *
 * Source: LUKS1 On-Disk Format Specification 1.2.3; QEMU crypto/block-luks.c for what it refuses to open.
 * Test oracles: `qemu-io`, `cryptsetup luksDump` and `--test-passphrase`.
 */
import { createCipheriv, hash, pbkdf2Sync } from 'node:crypto'
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

/** The part of the header that is not zeros, for AES-256 in XTS mode; the key of the disk is in it and nowhere else. */
export function formatLuksHeader(passphrase: Uint8Array, uuid: string, randomness: Randomness): Buffer {
  const bytes = Buffer.alloc(USED_BYTES)
  const [key, keySalt, slotSalt] = [KEY_BYTES, SALT_BYTES, SALT_BYTES].map((count) => randomness.bytes(count)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
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
      bytes.writeUInt32BE(ITERATIONS, at + 4)
      bytes.set(slotSalt, at + 8)
    }
    bytes.writeUInt32BE(FIRST_SLOT_SECTOR + slot * SLOT_SECTORS, at + 40)
    bytes.writeUInt32BE(STRIPES, at + 44)
  }
  const slotKey = pbkdf2Sync(passphrase, slotSalt, ITERATIONS, KEY_BYTES, 'sha256')
  encryptSectors(slotKey, split(key, randomness)).copy(bytes, FIRST_SLOT_SECTOR * SECTOR)
  for (const secret of [key, slotKey]) secret.fill(0)
  return bytes
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

/** `plain64`: the initial vector is the number of the sector. */
function encryptSectors(key: Uint8Array, material: Buffer): Buffer {
  const sectors: Buffer[] = []
  for (let at = 0; at < material.length; at += SECTOR) {
    const vector = Buffer.alloc(16)
    vector.writeBigUInt64LE(BigInt(at / SECTOR))
    const cipher = createCipheriv('aes-256-xts', key, vector)
    sectors.push(cipher.update(material.subarray(at, at + SECTOR)), cipher.final())
  }
  return Buffer.concat(sectors)
}
