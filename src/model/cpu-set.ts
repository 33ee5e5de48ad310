/**
 * Sets of host CPUs as text. One grammar for both who write them: the kernel's lists (`0-3,8`, `0-31:2/4` for two of
 * every four) and libvirt's `cpuset` (`0-3,^2`), where `^` takes a CPU out of what stands before it.
 *
 * Sources: Linux Documentation/admin-guide/kernel-parameters.rst "cpu lists", lib/bitmap.c for masks; libvirt
 * formatdomain "cpuset".
 */
import { VmpkgError } from '../errors.ts'

/** libvirt's VIR_DOMAIN_CPUMASK_LEN, twice the kernel's greatest NR_CPUS: a greater number is a slip. */
const MAXIMUM_CPUS = 16_384
const ITEM = /^(?<not>\^?)(?<first>\d{1,5})(?:-(?<last>\d{1,5})(?::(?<used>\d{1,5})\/(?<group>\d{1,5}))?)?$/

/** Ascending and without doubles; an empty text is the empty set. @throws {VmpkgError} `PARAMETER_INVALID` */
export function parseCpuSet(text: string): number[] {
  const cpus = new Set<number>()
  for (const item of text.trim() === '' ? [] : text.trim().split(',')) {
    const { not, first, last, used, group } = ITEM.exec(item.trim())?.groups ?? {}
    const [low, high] = [Number(first), Number(last ?? first)]
    const [take, of] = [Number(used ?? 1), Number(group ?? 1)]
    if (!(low <= high && high < MAXIMUM_CPUS && take >= 1 && take <= of) || (not !== '' && last !== undefined)) {
      throw new VmpkgError('PARAMETER_INVALID', `Not a set of CPUs: ${JSON.stringify(text.slice(0, 80))}`, {
        hint: 'Write numbers and ranges, as in 0-3,8; ^2 takes CPU 2 out again.',
      })
    }
    for (let cpu = low; cpu <= high; cpu++) {
      if (not === '^') cpus.delete(cpu)
      else if ((cpu - low) % of < take) cpus.add(cpu)
    }
  }
  return [...cpus].toSorted((a, b) => a - b)
}

/** The kernel's hexadecimal masks: words of 32 bits, the highest first, `00000000,0000ff00`. Undefined for other text. */
export function parseCpuMask(text: string): number[] | undefined {
  const hex = text.trim().replace(/^0x/, '').replaceAll(/,0x|,/g, '')
  if (!/^[0-9a-f]{1,4096}$/i.test(hex)) return undefined
  const cpus: number[] = []
  for (let place = 0; place < hex.length; place++) {
    const digit = Number.parseInt(hex.charAt(hex.length - 1 - place), 16)
    for (let bit = 0; bit < 4; bit++) if ((digit & (1 << bit)) !== 0) cpus.push(place * 4 + bit)
  }
  return cpus
}

/** The shortest list: `0-3,8`. */
export function formatCpuSet(cpus: Iterable<number>): string {
  const sorted = [...new Set(cpus)].toSorted((a, b) => a - b)
  const ranges: [number, number][] = []
  for (const cpu of sorted) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === cpu - 1) last[1] = cpu
    else ranges.push([cpu, cpu])
  }
  return ranges.map(([low, high]) => (low === high ? String(low) : `${low}-${high}`)).join(',')
}
