/**
 * Guests that write: a boot sector that fills 3 MiB of its disk, and another that fills 16 MiB of its memory, with a text
 * that stands in no file of the host, for it is put together only when it runs. Who finds the text on the host has found
 * what the guest wrote.
 */
import { randomBytes } from 'node:crypto'
import { noise } from './disk-image.ts'
import type { TestPackage } from './registry-builder.ts'

export const WRITTEN_BYTES = 3 * 2 ** 20
/** Of memory, from its second MiB on. */
export const FILLED_BYTES = 16 * 2 ** 20
const MASK = 0x55
const BUFFER = 0x8000
const SECTORS_A_TIME = 64

/** Of each run another one, so that no earlier run is found. */
export function newMark(): Buffer {
  return Buffer.from(`<${randomBytes(7).toString('hex')}>`)
}

/** An app of such a disk, with no network. */
export function scribe(name: string, mark: Buffer, devices = ''): TestPackage {
  return appOf(name, scribeDisk(mark), { devices })
}

/** An app whose guest fills its memory; then it writes a sector of zeros to its disk, by which that is known. */
export function memoryScribe(name: string, mark: Buffer): TestPackage {
  return appOf(name, memoryDisk(mark), { features: SMALL_EMULATOR })
}

/** So that what is read of its QEMU is little: 32 MiB of translated code in place of a GiB. */
const SMALL_EMULATOR = "<features><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>"

function appOf(name: string, disk: Uint8Array, { devices = '', features = '' }): TestPackage {
  return {
    name,
    manifest: `kind: app
parameters: { memory: { type: size, default: 32MiB, minimum: 32MiB, maximum: 1GiB } }
guest: { files: guest/ }
`,
    images: { disk },
    files: {
      'domain.xml.hbs': `<domain type='{{host.virtType}}'>
  {{> identity}}
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  ${features}
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

const word = (value: number): readonly number[] => [value & 0xff, (value >> 8) & 0xff]
const double = (value: number): readonly number[] => [...word(value), ...word(value >> 16)]

/** Above 1 MiB a segment reaches that was loaded while the processor was in protected mode. */
function memoryDisk(mark: Buffer): Uint8Array {
  const code = (data: number): readonly number[] => {
    const [packet, where] = [data + mark.length + 16, data + mark.length + 32]
    return [
      [0x31, 0xc0], // xor ax, ax
      [0x8e, 0xd8], // mov ds, ax
      [0x8e, 0xd0], // mov ss, ax
      [0xbc, ...word(0x7c00)], // mov sp, 0x7c00
      [0xfa, 0xfc], // cli; cld
      [0xe4, 0x92, 0x0c, 0x02, 0xe6, 0x92], // in al, 0x92; or al, 2; out 0x92, al: address line 20
      [0x0f, 0x01, 0x16, ...word(where)], // lgdt
      [0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // protected mode
      [0xbb, ...word(8), 0x8e, 0xc3], // mov bx, 8; mov es, bx
      [0x24, 0xfe, 0x0f, 0x22, 0xc0], // and out of it
      [0x31, 0xdb, 0x8e, 0xc3], // xor bx, bx; mov es, bx
      [0x66, 0xbf, ...double(2 ** 20)], // mov edi, 1 MiB
      [0x66, 0xbd, ...double(FILLED_BYTES / mark.length)], // mov ebp, copies
      [0xbe, ...word(data)], // copy: mov si, mark
      [0xb9, ...word(mark.length)], // mov cx, its length
      [0xac, 0x34, MASK], // letter: lodsb; xor al, mask
      [0x67, 0xaa], // stosb to [es:edi]
      [0xe2, 0xf9], // loop letter
      [0x66, 0x4d], // dec ebp
      [0x75, 0xef], // jnz copy
      [0xfb, 0xbe, ...word(packet)], // sti; mov si, packet
      [0xb8, ...word(0x4300), 0xcd, 0x13], // extended write
      [0xf4, 0xeb, 0xfd], // halt: hlt; jmp halt
    ].flat()
  }
  const length = code(0).length
  const data = 0x7c00 + length
  const disk = Buffer.alloc(2 ** 20)
  const flat = [0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0]
  disk.set([...code(data), ...mark.map((byte) => byte ^ MASK)])
  disk.set([0, 0, 0, 0, 0, 0, 0, 0, ...flat], length + mark.length)
  disk.set([0x10, 0, 1, 0, ...word(BUFFER), 0, 0, 8, 0], length + mark.length + 16)
  disk.set([...word(15), ...double(data + mark.length)], length + mark.length + 32)
  noise('memory scribe', 16_384).forEach((byte, index) => {
    disk[4096 + 512 + index] = byte
  })
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}

/** Instructions with their effect; jumps are relative, absolute places are those behind the code. */
function scribeDisk(mark: Buffer): Uint8Array {
  const times = WRITTEN_BYTES / (SECTORS_A_TIME * 512)
  const copies = (SECTORS_A_TIME * 512) / mark.length
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
