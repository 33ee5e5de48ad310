/**
 * Huge page pools of a made-up sysfs tree that answer writes as the kernel does: as many pages as there is contiguous
 * memory for, more of it after compaction; pools shared out over the nodes; pages in use never taken away.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { HostRoots } from '../../src/host/kernel-files.ts'

interface NodePool {
  total: number
  used: number
  /** How many more pages fit now, and how many more after compaction. */
  room: number
  fragmented: number
}

export class FakeKernelPages {
  readonly roots: HostRoots
  readonly writes: string[] = []
  readonly nodes: NodePool[]
  /** Refuses every write, as for anybody but root. */
  isClosed = false
  readonly #sizeKib: number

  constructor(folder: string, sizeKib: number, nodes: readonly Partial<NodePool>[]) {
    this.roots = { sysfs: join(folder, 'sys'), procfs: join(folder, 'proc') }
    this.#sizeKib = sizeKib
    this.nodes = nodes.map((node) => ({ total: 0, used: 0, room: 0, fragmented: 0, ...node }))
  }

  readonly write = async (path: string, text: string): Promise<void> => {
    if (this.isClosed) throw Object.assign(new Error('closed'), { code: 'EACCES' })
    this.writes.push(`${path.replace(/^.*?\/(sys|proc)\//, '/$1/')}=${text.trim()}`)
    const node = /\/node(\d+)\/hugepages\//.exec(path)?.[1]
    if (path.endsWith('nr_hugepages')) this.#resize(node === undefined ? undefined : Number(node), Number(text))
    if (/\/node\d+\/compact$/.test(path)) this.#compact(Number(/node(\d+)\/compact$/.exec(path)?.[1]))
    if (path.endsWith('compact_memory')) for (const [i] of this.nodes.entries()) this.#compact(i)
    await this.sync()
  }

  /** Writes the tree. */
  async sync(): Promise<void> {
    const pool = (total: number, used: number): Record<string, number> => ({
      nr_hugepages: total,
      free_hugepages: total - used,
      surplus_hugepages: 0,
      resv_hugepages: 0,
      nr_overcommit_hugepages: 0,
    })
    const name = `hugepages-${this.#sizeKib}kB`
    const sum = (key: 'total' | 'used'): number => this.nodes.reduce((all, node) => all + node[key], 0)
    await this.#files(join(this.roots.sysfs, 'kernel/mm/hugepages', name), pool(sum('total'), sum('used')))
    for (const [i, node] of this.nodes.entries()) {
      const folder = join(this.roots.sysfs, `devices/system/node/node${i}`)
      await this.#files(join(folder, 'hugepages', name), pool(node.total, node.used))
    }
  }

  async #files(folder: string, files: Readonly<Record<string, number>>): Promise<void> {
    for (const [name, value] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), `${value}\n`)
    }
  }

  #resize(node: number | undefined, wanted: number): void {
    if (node !== undefined) {
      const pool = this.nodes[node]
      if (pool !== undefined) resizeOne(pool, wanted)
      return
    }
    // The whole host: page after page, node after node.
    const total = (): number => this.nodes.reduce((sum, pool) => sum + pool.total, 0)
    for (let moved = true; moved && total() !== wanted; ) {
      moved = false
      for (const pool of this.nodes) {
        const before = pool.total
        if (total() !== wanted) resizeOne(pool, before + Math.sign(wanted - total()))
        moved ||= pool.total !== before
      }
    }
  }

  #compact(node: number): void {
    const pool = this.nodes[node]
    if (pool === undefined) return
    pool.room += pool.fragmented
    pool.fragmented = 0
  }
}

function resizeOne(pool: NodePool, wanted: number): void {
  const change = Math.min(Math.max(wanted, pool.used) - pool.total, pool.room)
  pool.total += change
  pool.room -= change
}
