/** Disk images as fast-check makes them: mostly holes, some noise, some text, some zeros that were written. */
import { execFileSync } from 'node:child_process'
import { open } from 'node:fs/promises'
import fc from 'fast-check'
import { noise } from './disk-image.ts'

export interface DiskPlan {
  readonly sectors: number
  readonly parts: readonly { readonly at: number; readonly length: number; readonly kind: 'noise' | 'text' | 'zeros' }[]
}

/** Up to 8 MiB, not always whole clusters. */
export const diskPlan: fc.Arbitrary<DiskPlan> = fc.record({
  sectors: fc.integer({ min: 1, max: 16_384 }),
  parts: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 8 * 2 ** 20 }),
      length: fc.integer({ min: 1, max: 300_000 }),
      kind: fc.constantFrom('noise', 'text', 'zeros'),
    }),
    { maxLength: 8 },
  ),
})

export async function writeDisk(path: string, { sectors, parts }: DiskPlan): Promise<void> {
  const size = sectors * 512
  await using file = await open(path, 'w')
  await file.truncate(size)
  for (const [number, { at, length, kind }] of parts.entries()) {
    const start = at % size
    const bytes = Math.min(length, size - start)
    const content =
      kind === 'noise' ? noise(`part ${number}`, bytes) : Buffer.alloc(bytes, kind === 'text' ? 'some text, ' : 0)
    await file.write(content, 0, bytes, start)
  }
}

type Disk = readonly [format: string, file: string]

/** The oracle: what a guest would read, and how much of it there is. Throws where they differ. */
export function compareDisks(a: Disk, b: Disk): void {
  const [one, other] = [a, b].map(([format, file]) => {
    const info = execFileSync('qemu-img', ['info', '--output=json', '-f', format, file]).toString()
    return (JSON.parse(info) as { 'virtual-size': number })['virtual-size']
  })
  if (one !== other) throw new Error(`${one} and ${other} bytes`)
  execFileSync('qemu-img', ['compare', '-f', a[0], '-F', b[0], a[1], b[1]], { stdio: 'pipe' })
}
