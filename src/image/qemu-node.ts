/**
 * What QEMU is told to open: this driver, this file, and nothing below it that is not named here, whatever the headers say.
 *
 * Source: QEMU's `json:` file names and `BlockdevOptions`. Threats A07, A08. Pure.
 */
import type { ImageFormat } from './format.ts'

/** One file with its format. */
export interface ImageLayer {
  /** Absolute. */
  readonly file: string
  readonly format: ImageFormat
}

export interface NodeOptions {
  /** Whoever asks holds the first file (`image-lock.ts`), so that QEMU's own lock would only stand in the way. */
  readonly isHeld?: boolean
  /** A part of the guest's disk in place of all of it. */
  readonly slice?: { readonly offset: number; readonly size: number }
}

/** QEMU's driver for what lies at an absolute path: devices want another one than files. */
export function driverFor(path: string): 'file' | 'host_device' {
  return /^\/dev\/(?!shm\/)/.test(path) ? 'host_device' : 'file'
}

/** A file name for QEMU's tools: the first layer, which stands on the second, and so on. */
export function describeNode(layers: readonly ImageLayer[], { isHeld = false, slice }: NodeOptions = {}): string {
  const node = describeLayers(layers, isHeld)
  return `json:${JSON.stringify(slice === undefined ? node : { driver: 'raw', ...slice, file: node })}`
}

function describeLayers([top, ...below]: readonly ImageLayer[], isHeld: boolean): Readonly<Record<string, unknown>> {
  if (top === undefined) throw new TypeError('a node needs a file')
  const file = { driver: driverFor(top.file), filename: top.file, ...(isHeld ? { locking: 'off' } : {}) }
  if (top.format === 'iso') return { driver: 'raw', file }
  if (top.format !== 'qcow2') return { driver: top.format, file }
  return { driver: 'qcow2', file, backing: below.length === 0 ? null : describeLayers(below, false) }
}
