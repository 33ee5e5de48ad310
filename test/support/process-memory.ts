/** What stands in the memory of a process, by its mappings. For root. Source: proc_pid_smaps(5), proc_pid_pagemap(5). */
import { open, readFile } from 'node:fs/promises'

export interface Mapping {
  readonly start: number
  readonly end: number
  /** `lo` locked, `dd` left out of a core, and others. */
  readonly flags: readonly string[]
}

const PAGE = 4096
const PRESENT = 1n << 63n
/** Pages read at once. */
const STEP = 1024

export async function readMappings(pid: number): Promise<readonly Mapping[]> {
  const text = await readFile(`/proc/${pid}/smaps`, 'utf8')
  const blocks = text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  return blocks.flatMap((block) => {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(block) ?? []
    if (start === undefined || end === undefined || /\[v(?:var|syscall|dso)[^\]]*\]/.test(block)) return []
    const flags = /^VmFlags: (.*)$/m.exec(block)?.[1]?.trim().split(' ') ?? []
    return [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), flags }]
  })
}

/** Mappings of which a page that is in memory holds the bytes. */
export async function findInMemory(pid: number, bytes: Buffer): Promise<readonly Mapping[]> {
  await using pages = await open(`/proc/${pid}/pagemap`, 'r')
  await using memory = await open(`/proc/${pid}/mem`, 'r')
  const found: Mapping[] = []
  for (const mapping of await readMappings(pid)) {
    for (let at = mapping.start; at < mapping.end; at += STEP * PAGE) {
      const count = Math.min(STEP, (mapping.end - at) / PAGE)
      const entries = Buffer.alloc(count * 8)
      const { bytesRead } = await pages.read(entries, 0, entries.length, (at / PAGE) * 8)
      if (bytesRead < entries.length) break
      if (![...Array(count).keys()].some((i) => (entries.readBigUInt64LE(i * 8) & PRESENT) !== 0n)) continue
      const content = Buffer.alloc(count * PAGE)
      // Mappings of devices cannot be read.
      const { bytesRead: got } = await memory.read(content, 0, content.length, at).catch(() => ({ bytesRead: 0 }))
      if (!content.subarray(0, got).includes(bytes)) continue
      found.push(mapping)
      break
    }
  }
  return found
}
