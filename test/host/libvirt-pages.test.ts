import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { libvirtPages } from '../../src/host/libvirt-pages.ts'
import { releasePages, reservePages } from '../../src/host/reserve-pages.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'

const OPERATION_FAILED = 9

/** A libvirt with two nodes that grants as many pages as there is room for, and complains when these are too few. */
class FakeLibvirt {
  readonly totals = [2, 0]
  readonly #limits: readonly number[]

  constructor(...limits: readonly number[]) {
    this.#limits = limits
  }

  async getCapabilities(): Promise<string> {
    const cells = this.totals.map(
      (total, id) =>
        `<cell id='${id}'><memory unit='KiB'>8388608</memory><pages unit='KiB' size='4'>100</pages>` +
        `<pages unit='KiB' size='2048'>${total}</pages><cpus num='1'><cpu id='${id}' siblings='${id}'/></cpus></cell>`,
    )
    return `<capabilities><host><topology><cells>${cells.join('')}</cells></topology></host></capabilities>`
  }

  async nodeGetFreePages({ startCell }: { readonly startCell: number }): Promise<bigint[]> {
    const cells = startCell === -1 ? this.totals : [this.totals[startCell] ?? 0]
    return [BigInt(cells.reduce((sum, count) => sum + count, 0))]
  }

  async nodeAllocPages(request: {
    readonly pageCounts: readonly bigint[]
    readonly startCell: number
    readonly flags?: readonly string[] | undefined
  }): Promise<number> {
    assert.deepEqual(request.flags, ['set'])
    const wanted = Number(request.pageCounts[0])
    const granted = Math.min(wanted, this.#limits[request.startCell] ?? 0)
    this.totals[request.startCell] = granted
    if (granted === wanted) return 1
    throw new LibvirtError({
      code: OPERATION_FAILED,
      domain: 0,
      message: 'too few',
      level: 2,
      int1: 0,
      int2: 0,
      texts: [],
    })
  }
}

const need = (node: number, missing: number) => ({ node, sizeKib: 2048, count: missing, available: 0, missing })

describe('libvirtPages', () => {
  test('reserves on nodes of another host and gives back what was added', async () => {
    const libvirt = new FakeLibvirt(10, 10)
    const pools = libvirtPages(libvirt)
    assert.deepEqual(await pools.read({ sizeKib: 2048 }), { total: 2, free: 2 })
    const reserved = await reservePages(pools, [need(0, 3), need(1, 4)])
    assert.deepEqual(libvirt.totals, [5, 4])
    assert.deepEqual(await releasePages(pools, reserved), [])
    assert.deepEqual(libvirt.totals, [2, 0])
  })

  test('keeps nothing where that host gives too few', async () => {
    const libvirt = new FakeLibvirt(10, 3)
    await assert.rejects(reservePages(libvirtPages(libvirt), [need(0, 3), need(1, 4)]), { code: 'HUGEPAGES_MISSING' })
    assert.deepEqual(libvirt.totals, [2, 0])
  })
})
