/**
 * A guest that writes: a boot sector that fills 3 MiB of its disk with a text that stands in no file of the host, for it is
 * put together only when it runs. Who finds the text on the host has found what the guest wrote.
 */
import { randomBytes } from 'node:crypto'
import { noise } from './disk-image.ts'
import type { TestPackage } from './registry-builder.ts'

export const WRITTEN_BYTES = 3 * 2 ** 20
const MASK = 0x55
const BUFFER = 0x8000
const SECTORS_A_TIME = 64

/** Of each run another one, so that no earlier run is found. */
export function newMark(): Buffer {
  return Buffer.from(`<${randomBytes(7).toString('hex')}>`)
}

/** An app of one such disk, with no network. */
export function scribe(name: string, mark: Buffer, devices = ''): TestPackage {
  return {
    name,
    manifest: `kind: app
parameters: { memory: { type: size, default: 32MiB, minimum: 32MiB, maximum: 1GiB } }
guest: { files: guest/ }
`,
    images: { disk: scribeDisk(mark) },
    files: {
      'domain.xml.hbs': `<domain type='{{host.virtType}}'>
  {{> identity}}
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {{> cpu}}
  {{> lifecycle}}
  <devices>
    <emulator>{{host.emulator}}</emulator>
    {{> overlay-disk}}
    {{> medium}}
    {{> nics}}
    {{> headless}}
    ${devices}
  </devices>
</domain>
`,
      'guest/vmpkg.env.hbs':
        'HOSTNAME={{identity.hostname}}\nMACHINE_ID={{identity.machineId}}\nSEED={{identity.seed}}\n',
    },
  }
}

/** Instructions with their effect; jumps are relative, absolute places are those behind the code. */
function scribeDisk(mark: Buffer): Uint8Array {
  const times = WRITTEN_BYTES / (SECTORS_A_TIME * 512)
  const copies = (SECTORS_A_TIME * 512) / mark.length
  const word = (value: number): readonly number[] => [value & 0xff, value >> 8]
  const before = (data: number, packet: number): readonly number[] =>
    [
      [0x31, 0xc0], // xor ax, ax
      [0x8e, 0xd8], // mov ds, ax
      [0x8e, 0xc0], // mov es, ax
      [0x8e, 0xd0], // mov ss, ax
      [0xbc, ...word(0x7c00)], // mov sp, 0x7c00
      [0xfb, 0xfc], // sti; cld
      [0xbf, ...word(BUFFER)], // mov di, buffer
      [0xbb, ...word(copies)], // mov bx, copies
      [0xbe, ...word(data)], // copy: mov si, mark
      [0xb9, ...word(mark.length)], // mov cx, its length
      [0xac], // letter: lodsb
      [0x34, MASK], // xor al, mask
      [0xaa], // stosb
      [0xe2, 0xfa], // loop letter
      [0x4b], // dec bx
      [0x75, 0xf1], // jnz copy
      [0xbd, ...word(times)], // mov bp, times
      [0xbe, ...word(packet)], // write: mov si, packet
      [0xb8, ...word(0x4300)], // mov ax, 0x4300: extended write
      [0xcd, 0x13], // int 0x13; dl is the disk that it was started from
      [0x72, 0x0a], // jc halt
      [0x81, 0x06, ...word(packet + 8), ...word(SECTORS_A_TIME)], // add [first sector], 64
      [0x4d], // dec bp
      [0x75, 0xed], // jnz write
      [0xf4], // halt: hlt
      [0xeb, 0xfd], // jmp halt
    ].flat()
  const length = before(0, 0).length
  const data = 0x7c00 + length
  const packet = data + mark.length
  const disk = Buffer.alloc(WRITTEN_BYTES + 2 ** 20)
  noise('scribe', 16_384).forEach((byte, index) => {
    disk[512 + index] = byte
  })
  Buffer.from(before(data, packet)).copy(disk)
  mark
    .map((byte) => byte ^ MASK)
    .forEach((byte, index) => {
      disk[length + index] = byte
    })
  disk.set([0x10, 0, ...word(SECTORS_A_TIME), ...word(BUFFER), 0, 0, SECTORS_A_TIME, 0], length + mark.length)
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}
