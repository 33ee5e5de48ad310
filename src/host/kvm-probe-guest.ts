/**
 * The guest that tells whether KVM runs guests: 64 KiB of firmware in place of a BIOS.
 *
 * From the reset vector it goes through protected into long mode with paging, takes 20 interrupts of the local APIC's
 * timer, executes CPUID at each, writes and reads back 2048 pages, and only then leaves through isa-debug-exit. Less
 * is not enough: there is a KVM that runs real mode and fails at the first protected-mode jump.
 * Source: Intel SDM volume 3, sections 10.9 (mode switch) and 11.5 (APIC timer). Its assembly text stands beside the
 * tests; test oracles: the GNU assembler gives these bytes, QEMU's TCG runs them to the end.
 */

/** Exit status of QEMU after the guest's last instruction wrote 0x2a: (value << 1) | 1. */
export const PROBE_EXIT_CODE = 85

const FIRMWARE_BYTES = 65_536
const CODE_OFFSET = 0xe000

/** Descriptor tables, then the code. */
const CODE = [
  '0000000000000000ffff0000009acf00ffff00000092cf00ffff0000009aaf001f0000e0ffff0f0200900000000000000000000000000000',
  '0000000000000000fa2e660f011620e00f20c06683c8010f22c066ea5ae0ffff0800b8100000008ed88ec08ed0bc0080000031c0bf001000',
  '00b900080000f3abc7050010000003200000c7050020000003000100c7050820000003100100c7051020000003200100c705182000000330',
  '0100bf00000100b883000000b9000800008907c7470400000000050000200083c708e2ed0f20e083c8200f22e0b8001000000f22d8b98000',
  '00c00f320d000100000f300f20c00d000000800f22c0eafde0ffff1800b8a0e1ffffbf0092000066890766c74702180066c74704008ec1e8',
  '106689470648c7470800000000bb26e0ffff0f011bbe0000e0fec786f0000000ff010000c786e00300000b000000c7862003000020000200',
  'c7868003000040420f004531e4fbf431c00fa24183fc1472f5fabf0000100048893f81c70010000081ff0000900072efbf0000100048393f',
  '751281c70010000081ff0000900072edb02ae6f4faf4ebfc41ffc4c786b00000000000000048cf',
].join('')

const RESET_VECTOR_OFFSET = 0xfff0
/** jmp to the first instruction behind the descriptor tables, at 0xe040. */
const RESET_VECTOR = 'e94de0'

/** The firmware file for QEMU's `-bios`. */
export function formatProbeFirmware(): Uint8Array {
  const firmware = new Uint8Array(FIRMWARE_BYTES)
  firmware.set(Buffer.from(CODE, 'hex'), CODE_OFFSET)
  firmware.set(Buffer.from(RESET_VECTOR, 'hex'), RESET_VECTOR_OFFSET)
  return firmware
}
