/** LVM's answers are those of a group with a thin pool, with other figures: no thin pool can be had without device-mapper. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Storage } from '../../src/model/storage.ts'
import { checkStorages } from '../../src/operations/doctor-storages.ts'
import { checkStorageSpace, overcommitOf } from '../../src/operations/storage-space.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import type { Processes } from '../../src/ports.ts'
import { prepareConnectionFolders } from '../../src/state/folders.ts'
import { writeStorages } from '../../src/state/storages.ts'
import { makeTestHost } from '../support/test-host.ts'

const clock = { now: () => new Date() }
const facts = { uuid: '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001', isEncrypted: false }
const THIN: Storage = { ...facts, name: 'thin', type: 'lvm-thin', volumeGroup: 'vg0', thinPool: 'pool0' }
const THICK: Storage = { ...facts, name: 'thick', type: 'lvm', volumeGroup: 'vg0' }
const GIB = 1024 ** 3

interface Lvm {
  readonly data?: number
  readonly metadata?: number
  readonly free?: number
  readonly promised?: number
  readonly threshold?: number
}

function lvmThatSays({ data = 10, metadata = 5, free = GIB, promised = GIB, threshold = 80 }: Lvm): Processes {
  const lv = { pool_lv: '', data_percent: '', metadata_percent: '', lv_tags: '', lv_path: '', lv_attr: '-wi-a-----' }
  const fullness = { data_percent: data.toFixed(2), metadata_percent: metadata.toFixed(2) }
  const answers: Readonly<Record<string, string>> = {
    vgs: report('vg', [{ vg_name: 'vg0', vg_size: `${8 * GIB}`, vg_free: String(free), vg_extent_size: '4194304' }]),
    lvs: report('lv', [
      { ...lv, ...fullness, lv_name: 'pool0', lv_size: String(4 * GIB), lv_attr: 'twi-aotz--' },
      { ...lv, lv_name: 'one', lv_size: String(promised), lv_attr: 'Vwi-a-tz--', pool_lv: 'pool0' },
    ]),
    lvmconfig: `thin_pool_autoextend_threshold=${threshold}\n`,
  }
  return { run: async (program) => ({ exitCode: 0, stdout: answers[program] ?? '', stderr: '' }) }
}

function report(kind: string, rows: readonly unknown[]): string {
  return JSON.stringify({ report: [{ [kind]: rows }] })
}

async function remember({ connectionPaths }: Workspace, list: Parameters<typeof writeStorages>[1]): Promise<void> {
  prepareConnectionFolders(connectionPaths, { isRoot: false })
  await writeStorages(connectionPaths, list)
}

function withLvm(workspace: Workspace, said: Lvm): Workspace {
  Object.assign(workspace, { outside: { ...workspace.outside, processes: lvmThatSays(said) } })
  return workspace
}

for (const [what, storage, said, status, seen] of [
  ['well', THIN, {}, 'ok', /thin can be used/],
  ['full beyond 90 % of its data', THIN, { data: 90.5 }, 'problem', /vg0\/pool0 is full to 90\.5 %/],
  ['full of metadata', THIN, { metadata: 97 }, 'problem', /97 % of its metadata/],
  ['never extended', THIN, { threshold: 100 }, 'warning', /does not extend/],
  ['nearly without free extents', THICK, {}, 'warning', /1024 MiB are free in storage thick/],
] as const) {
  test(`doctor says of a storage that is ${what}: ${status}`, async (t) => {
    const host = await makeTestHost(t, clock)
    const [check] = await host.run(async (workspace) => {
      await remember(workspace, { storages: [storage] })
      return checkStorages(withLvm(workspace, said))
    })
    assert.equal(check?.status, status, check?.seen)
    assert.match(check.seen, seen)
  })
}

test('doctor says of a folder that is not there what is to be done', async (t) => {
  const host = await makeTestHost(t, clock)
  const [check] = await host.run(async (workspace) => {
    await remember(workspace, {
      storages: [{ ...facts, name: 'big', type: 'dir', path: `${host.root}/nowhere` }],
    })
    return checkStorages(workspace)
  })
  assert.equal(check?.status, 'problem')
  assert.match(`${check.seen} ${check.fix}`, /big is not at .*mount/i)
})

test('what does not fit is refused with figures, and a pool that promised too much is told', async (t) => {
  const host = await makeTestHost(t, clock)
  await host.run(async (workspace) => {
    const check = (storage: Storage, said: Lvm, sizes: readonly number[]): Promise<void> =>
      checkStorageSpace(withLvm(workspace, said), storage, sizes)
    await check(THICK, { free: GIB }, [GIB / 2])
    await check(THICK, { free: 0 }, [])
    await assert.rejects(check(THICK, { free: GIB }, [GIB / 2, GIB / 2]), {
      code: 'NO_SPACE',
      message: /thick \(vg0\): 103\d MiB needed, 1024 MiB free/,
    })
    await check(THIN, { data: 94 }, [GIB])
    await assert.rejects(check(THIN, { data: 95 }, [GIB]), { code: 'NO_SPACE', message: /95 % of its data/ })
    await assert.rejects(check(THIN, { metadata: 96 }, [GIB]), { code: 'NO_SPACE', message: /96 % of its metadata/ })
    assert.equal(await overcommitOf(withLvm(workspace, {}), THIN), undefined)
    assert.match(
      (await overcommitOf(withLvm(workspace, { promised: 6 * GIB }), THIN)) ?? '',
      /has 4GiB and has promised 6GiB/,
    )
  })
})
