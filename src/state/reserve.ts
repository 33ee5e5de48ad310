/**
 * A file that is given up when the disk is full, so that `gc` and `clean` can free more: opening the databases alone takes some
 * blocks (their write-ahead log, and its index), as does every record of what they do. Nothing depends on it.
 * Test oracle: an ext4 that is full to its last block.
 */
import { randomBytes } from 'node:crypto'
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A few times what a collection was seen to write: 150 KiB. */
const RESERVE_BYTES = 1024 * 1024
/** It is made where the disk has as many times as much. */
const PLENTY = 64

function pathIn(folder: string): string {
  return join(folder, 'reserve')
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** Makes the file in the state folder where there is none and room is plenty. Whether that works is no matter. */
export function keepReserve(folder: string): void {
  try {
    const path = pathIn(folder)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.size === RESERVE_BYTES || freeBytes(folder) < PLENTY * RESERVE_BYTES) return
    rmSync(path, { force: true })
    // No zeros: file systems that compress would keep nothing of them.
    writeFileSync(path, randomBytes(RESERVE_BYTES), { mode: 0o600, flag: 'wx' })
  } catch {
    // without it, `gc` on a full disk may need help
  }
}

/** Gives the file up where the disk has no more room than it takes. */
export function spendReserve(folder: string): void {
  try {
    if (freeBytes(folder) < RESERVE_BYTES) rmSync(pathIn(folder), { force: true })
  } catch {
    // what follows will tell
  }
}
