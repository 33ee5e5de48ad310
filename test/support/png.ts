/** Pixels of a PNG file, as vmpkg or QEMU writes it, read by pngjs, which checks the sum of every chunk. */
import { PNG } from 'pngjs'

export interface PngPixels {
  readonly width: number
  readonly height: number
  /** Six hexadecimal digits. */
  readonly pixel: (x: number, y: number) => string
}

/** @throws where it is none, or a sum is wrong */
export function readPng(png: Buffer): PngPixels {
  const { width, height, data } = PNG.sync.read(png)
  const pixel = (x: number, y: number): string => {
    const at = (y * width + x) * 4
    return data.toString('hex', at, at + 3)
  }
  return { width, height, pixel }
}
