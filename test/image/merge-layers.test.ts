/** Oracles: `qemu-img compare` and `qemu-img check`, `qemu-io`. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type ChainFile, readChain } from '../../src/image/chain.ts'
import { mergeDown, pullUp } from '../../src/image/merge-layers.ts'
import { writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 1024 ** 2
const outside = { processes: realProcesses }
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })

/** A base and four overlays; each writes a place of its own, and one that all write. */
async function makeChain(
  t: TestContext,
): Promise<{ readonly at: (name: string) => string; files: Map<string, ChainFile>; whole: string }> {
  const folder = await makeTempFolder(t)
  const at = (name: string): string => join(folder, name)
  run('qemu-img', 'create', '-q', '-f', 'raw', at('base.raw'), '8M')
  run('qemu-io', '-f', 'raw', '-c', 'write -P 200 0 8M', at('base.raw'))
  for (const number of [1, 2, 3, 4]) {
    const [backing, backingFormat] =
      number === 1 ? ([at('base.raw'), 'raw'] as const) : ([at(`${number - 1}.qcow2`), 'qcow2'] as const)
    await writeOverlay({ path: at(`${number}.qcow2`), backing, backingFormat, virtualSize: 8 * MIB })
    run(
      'qemu-io',
      '-f',
      'qcow2',
      '-c',
      `write -P ${number} ${number}M 64k`,
      '-c',
      `write -P ${number} 6M 4k`,
      at(`${number}.qcow2`),
    )
  }
  run('qemu-io', '-f', 'qcow2', '-c', 'write -z 2M 64k', at('3.qcow2')) // what is zero above stays zero
  run('qemu-img', 'convert', '-O', 'raw', at('4.qcow2'), at('whole.raw'))
  const files = new Map<string, ChainFile>()
  await readChain({ file: at('4.qcow2'), format: 'qcow2' }, files)
  return { at, files, whole: at('whole.raw') }
}

describe('merging layers', () => {
  test('a layer goes into what stands on it, which keeps its name, time and content, as does the base', async (t: TestContext) => {
    const { at, files, whole } = await makeChain(t)
    const base = readFileSync(at('base.raw'))
    run('qemu-img', 'convert', '-O', 'raw', at('3.qcow2'), at('third.raw'))
    utimesSync(at('3.qcow2'), new Date('2026-01-01'), new Date('2026-01-01'))
    await mergeDown(files, { upper: at('3.qcow2'), layer: at('2.qcow2') }, outside)
    assert.equal(existsSync(at('2.qcow2')), false)
    assert.equal(statSync(at('3.qcow2')).mtime.toISOString(), '2026-01-01T00:00:00.000Z')
    assert.equal(statSync(at('3.qcow2')).mode & 0o777, 0o600)
    run('qemu-img', 'compare', at('3.qcow2'), at('third.raw'))
    run('qemu-img', 'compare', at('4.qcow2'), whole)
    for (const name of ['1.qcow2', '3.qcow2', '4.qcow2']) run('qemu-img', 'check', '-q', at(name))
    assert.deepEqual(readFileSync(at('base.raw')), base)
    const info = JSON.parse(run('qemu-img', 'info', '--output=json', at('3.qcow2'))) as Record<string, unknown>
    assert.equal(info['backing-filename'], at('1.qcow2'))
  })

  test('a step that was cut off before the name was given is taken again', async (t: TestContext) => {
    const { at, files, whole } = await makeChain(t)
    run('qemu-img', 'commit', '-q', '-d', at('3.qcow2'))
    run('qemu-img', 'compare', at('4.qcow2'), whole)
    await mergeDown(files, { upper: at('3.qcow2'), layer: at('2.qcow2') }, outside)
    run('qemu-img', 'compare', at('4.qcow2'), whole)
  })

  test('a file that a guest has open is left alone', async (t: TestContext) => {
    const { at, files, whole } = await makeChain(t)
    await using guest = await openByGuest(at('4.qcow2'))
    void guest
    await assert.rejects(mergeDown(files, { upper: at('3.qcow2'), layer: at('2.qcow2') }, outside), {
      code: 'IMAGE_IN_USE',
    })
    run('qemu-img', 'compare', '-U', at('4.qcow2'), whole)
    assert.ok(readdirSync(at('.')).includes('2.qcow2'))
  })

  test('an active file takes in all that it stands on, and the files below stay as they were', async (t: TestContext) => {
    const { at, files, whole } = await makeChain(t)
    const below = ['1.qcow2', '2.qcow2', '3.qcow2'].map((name) => readFileSync(at(name)))
    await pullUp(files, { top: at('4.qcow2'), onto: at('base.raw') }, outside)
    run('qemu-img', 'compare', at('4.qcow2'), whole)
    run('qemu-img', 'check', '-q', at('4.qcow2'))
    const info = JSON.parse(run('qemu-img', 'info', '--output=json', at('4.qcow2'))) as Record<string, unknown>
    assert.equal(info['backing-filename'], at('base.raw'))
    assert.deepEqual(
      ['1.qcow2', '2.qcow2', '3.qcow2'].map((name) => readFileSync(at(name))),
      below,
    )
  })
})

/** As a guest has it: opened for writing, until the end of the block. */
async function openByGuest(file: string): Promise<AsyncDisposable> {
  const { spawn } = await import('node:child_process')
  const child = spawn('qemu-io', ['-f', 'qcow2', file], { stdio: ['pipe', 'pipe', 'ignore'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return {
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.stdin.end('quit\n')
      await ended
    },
  }
}
