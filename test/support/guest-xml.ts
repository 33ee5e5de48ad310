/** Small domains for tests: TCG, no operating system, and a boot sector that talks on the serial port. */

export interface GuestOptions {
  readonly name: string
  /** XML of devices beside the serial port. */
  readonly devices?: string
  /** Path of a disk to boot from. */
  readonly disk?: string
  /** Of the disk; raw when nothing is said. */
  readonly format?: 'raw' | 'qcow2'
}

export function guestXml({ name, devices = '', disk, format = 'raw' }: GuestOptions): string {
  const boot =
    disk === undefined
      ? ''
      : `<disk type='file' device='disk'><driver name='qemu' type='${format}'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${boot}
    <serial type='pty'/>
    <console type='pty'/>
    ${devices}
  </devices>
</domain>`
}

/** What the boot sector says before it begins to echo. */
export const GREETING = 'hello from the boot sector\r\n'

/**
 * A disk of one sector: it writes the greeting to the first serial port and then sends back every byte it gets.
 * The instructions are given with their effect; calls and jumps are relative.
 */
export function bootSector(): Buffer {
  const code = [
    [0x31, 0xc0], // 00 xor ax, ax
    [0x8e, 0xd8], // 02 mov ds, ax
    [0xfc], // 04 cld
    [0xbe, 0x36, 0x7c], // 05 mov si, greeting
    [0xac], // 08 lodsb
    [0x08, 0xc0], // 09 or al, al
    [0x74, 0x05], // 0b jz echo
    [0xe8, 0x0a, 0x00], // 0d call put
    [0xeb, 0xf6], // 10 jmp 08
    [0xe8, 0x14, 0x00], // 12 echo: call get
    [0xe8, 0x02, 0x00], // 15 call put
    [0xeb, 0xf8], // 18 jmp echo
    [0x50], // 1a put: push ax
    [0xba, 0xfd, 0x03], // 1b mov dx, line status
    [0xec], // 1e in al, dx
    [0xa8, 0x20], // 1f test al, transmitter empty
    [0x74, 0xfb], // 21 jz 1e
    [0x58], // 23 pop ax
    [0xba, 0xf8, 0x03], // 24 mov dx, data
    [0xee], // 27 out dx, al
    [0xc3], // 28 ret
    [0xba, 0xfd, 0x03], // 29 get: mov dx, line status
    [0xec], // 2c in al, dx
    [0xa8, 0x01], // 2d test al, data ready
    [0x74, 0xfb], // 2f jz 2c
    [0xba, 0xf8, 0x03], // 31 mov dx, data
    [0xec], // 34 in al, dx
    [0xc3], // 35 ret
  ].flat()
  const sector = Buffer.alloc(1024 * 1024)
  Buffer.from(code).copy(sector)
  sector.write(`${GREETING}\0`, code.length, 'latin1')
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}
