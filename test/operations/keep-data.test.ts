/** Oracles: `qemu-img compare`, `qemu-img check`, `qemu-io`. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { keepData } from '../../src/operations/keep-data.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import type { Processes } from '../../src/ports.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'

const UUID = '0a0b0c0d-1111-4222-8333-444455556666'
const MIB = 1024 ** 2
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })
const write = (file: string, ...commands: readonly string[]): string =>
  run('qemu-io', '-f', 'qcow2', ...commands.flatMap((one) => ['-c', `write ${one}`]), file)

interface Bench {
  readonly workspace: Workspace
  readonly disk: string
  /** What the machine last saw. */
  readonly whole: string
}

/**
 * A data disk, three layers of snapshots on it, a branch that was left at the first of them, and a layer of the machine's own
 * disk. Only qcow2 files tell which is which.
 */
async function makeBench(t: TestContext, processes: Processes = systemProcesses): Promise<Bench> {
  const outside = systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false })
  const workspace = await openLocalWorkspace(t, { outside: { ...outside, processes } })
  const { data, overlays } = workspace.connectionPaths
  for (const folder of [data, overlays]) mkdirSync(folder, { recursive: true })
  const disk = join(data, 'work.home.qcow2')
  const layer = (name: string): string => join(overlays, `${UUID}.s0000000${name}.qcow2`)
  run('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '8M')
  write(disk, '-P 1 0 8M')
  const stack = async (path: string, backing: string, ...commands: readonly string[]): Promise<void> => {
    await writeOverlay({ path, backing, backingFormat: 'qcow2', virtualSize: 8 * MIB })
    write(path, ...commands)
  }
  await stack(layer('a'), disk, '-P 2 1M 64k', '-P 2 6M 4k')
  await stack(layer('b'), layer('a'), '-P 3 2M 64k')
  await stack(layer('f'), layer('a'), '-P 99 0 1M') // the branch
  await stack(layer('c'), layer('b'), '-P 4 6M 4k', '-z 1M 64k')
  const own = join(overlays, `${UUID}.qcow2`)
  run('qemu-img', 'create', '-q', '-f', 'qcow2', own, '8M')
  await stack(layer('d'), own, '-P 5 0 1M')
  utimesSync(layer('f'), 1000, 1000)
  const whole = join(workspace.paths.images, '..', 'whole.raw')
  run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', layer('c'), whole)
  return { workspace, disk, whole }
}

function requireWhole({ workspace, disk, whole }: Bench): void {
  run('qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', 'raw', disk, whole)
  run('qemu-img', 'check', '-q', '-f', 'qcow2', disk)
  assert.ok(!run('qemu-img', 'info', '-U', disk).includes('backing file'), 'the data disk stands on something')
  // The machine's own disk goes with the machine, which is another's business.
  assert.deepEqual(readdirSync(workspace.connectionPaths.overlays).toSorted(), [
    `${UUID}.qcow2`,
    `${UUID}.s0000000d.qcow2`,
  ])
}

describe('keepData', () => {
  test('writes what layers of snapshots hold into the data disk, of branches that of the newest', async (t) => {
    const bench = await makeBench(t)
    await keepData(bench.workspace, UUID)
    requireWhole(bench)
    await keepData(bench.workspace, UUID)
    requireWhole(bench)
  })

  test('leaves the data disk of a machine without snapshots alone', async (t) => {
    const bench = await makeBench(t)
    await keepData(bench.workspace, '0a0b0c0d-1111-4222-8333-444455556667')
    assert.equal(readdirSync(bench.workspace.connectionPaths.overlays).length, 6)
  })

  test('may be cut short at any program that it calls, before or after it, and ends the same', async (t) => {
    let calls = 0
    for (const isAfter of [false, true]) {
      for (let at = 0; ; at++) {
        let armed = true
        calls = 0
        const cut: Processes = {
          ...systemProcesses,
          run: async (...args) => {
            const isNow = armed && calls++ === at
            if (isNow && !isAfter) throw new Error('cut short')
            const result = await systemProcesses.run(...args)
            if (isNow) throw new Error('cut short')
            return result
          },
        }
        const bench = await makeBench(t, cut)
        const isCut = await keepData(bench.workspace, UUID).then(
          () => false,
          (error: Error) =>
            (error.cause instanceof Error ? error.cause : error).message === 'cut short' || assert.fail(error),
        )
        armed = false
        await keepData(bench.workspace, UUID)
        requireWhole(bench)
        if (!isCut) break
      }
    }
    assert.ok(calls > 1, 'nothing was called')
  })
})
