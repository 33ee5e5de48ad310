/**
 * The picture of a guest's screen as PNG. QEMU draws a portable pixmap (Netpbm's binary form P6, 8 bits a colour); the
 * bytes come from an emulator that a guest may have taken over, so nothing of them is believed.
 * Sources: Netpbm's ppm(5); PNG, third edition. Test oracle: pngtopnm.
 */
import { crc32, deflateSync } from 'node:zlib'
import { VmpkgError } from '../errors.ts'

/** Pixels of one side. */
const MAXIMUM_SIDE = 16_384
const HEAD = /^P6[ \t\r\n]+(?:#[^\n]*\n)*([0-9]{1,6})[ \t\r\n]+([0-9]{1,6})[ \t\r\n]+255[ \t\r\n]/
const HEAD_BYTES = 256
const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const RGB = 2

export interface Picture {
  readonly width: number
  readonly height: number
  /** Red, green, blue, row by row. */
  readonly pixels: Uint8Array
}

/** @throws {VmpkgError} `DOMAIN_STATE` for what is no pixmap of that form */
export function parsePixmap(bytes: Buffer): Picture {
  const [head = '', width = '', height = ''] = HEAD.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? []
  const picture = {
    width: Number(width),
    height: Number(height),
    pixels: bytes.subarray(head.length),
  }
  const isSized =
    picture.width > 0 && picture.width <= MAXIMUM_SIDE && picture.height > 0 && picture.height <= MAXIMUM_SIDE
  if (head !== '' && isSized && picture.pixels.length === picture.width * picture.height * 3) return picture
  throw new VmpkgError('DOMAIN_STATE', 'The emulator gave no picture of the screen that can be read', {
    hint: 'Try again; virsh screenshot shows what comes.',
  })
}

export function encodePng({ width, height, pixels }: Picture): Buffer {
  const row = width * 3
  const lines = Buffer.alloc((row + 1) * height) // each begins with its filter: 0, none
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1)
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, RGB, 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.equals(bytes.subarray(0, SIGNATURE.length))
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
