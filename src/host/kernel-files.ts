/**
 * Small files of sysfs and procfs. They are read without waiting: the kernel makes their text in memory, and a big host
 * has thousands of them. What is missing is undefined: virtual machines, containers and other processors than x86 lack many.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseCpuMask, parseCpuSet } from '../model/cpu-set.ts'

/** Where sysfs and procfs are mounted: captured trees serve as tests. */
export interface HostRoots {
  readonly sysfs: string
  readonly procfs: string
}

export const REAL_ROOTS: HostRoots = { sysfs: '/sys', procfs: '/proc' }

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** A whole number, negative ones included. */
export function readInteger(path: string): number | undefined {
  const text = readText(path)
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** A CPU list; undefined where the file is missing or says `(null)`, as nohz_full does. */
export function readCpuList(path: string): number[] | undefined {
  const text = readText(path)
  if (text === undefined) return undefined
  try {
    return parseCpuSet(text)
  } catch {
    return undefined
  }
}

/** A set of CPUs as a mask, else as a list: old kernels wrote masks only, the smallest ones write lists only. */
export function readCpuMaskOrList(folder: string, ...names: readonly string[]): number[] | undefined {
  for (const name of names) {
    const masked = parseCpuMask(readText(`${folder}/${name}`) ?? '')
    if (masked !== undefined) return masked
  }
  for (const name of names) {
    const listed = readCpuList(`${folder}/${LISTS[name] ?? `${name}_list`}`)
    if (listed !== undefined) return listed
  }
  return undefined
}

/** Lists that are not called as their mask with `_list` behind. */
const LISTS: Readonly<Record<string, string>> = { cpumap: 'cpulist', shared_cpu_map: 'shared_cpu_list' }

/** Numbers N of the entries `<prefix>N` of a folder, ascending. */
export function listNumbered(folder: string, prefix: string): number[] {
  return listEntries(folder)
    .filter((name) => name.startsWith(prefix) && /^\d{1,6}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .toSorted((a, b) => a - b)
}

export function listEntries(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}
