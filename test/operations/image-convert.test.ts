import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { VmpkgEvent } from '../../src/events.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { type ConvertRequest, imageConvert } from '../../src/operations/image-convert.ts'
import { compareDisks, diskPlan, writeDisk } from '../support/disk-bytes.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PLAIN: ConvertRequest = {
  image: '',
  fromFormat: undefined,
  out: '',
  format: undefined,
  compress: false,
  backing: false,
  force: false,
  maxSize: undefined,
  dryRun: false,
}

const img = (...args: readonly string[]): void => void execFileSync('qemu-img', args, { stdio: 'pipe' })

async function makePlace(t: Pick<TestContext, 'after'>, signal = new AbortController().signal) {
  const events: VmpkgEvent[] = []
  const folder = await makeTempFolder(t)
  const outside = systemOutside({ emit: (event) => events.push(event), signal, env: {}, offline: false })
  const workspace = await openLocalWorkspace(t, { folder, outside })
  const convert = async (image: string, out: string, more: Partial<ConvertRequest> = {}) =>
    imageConvert(workspace, { ...PLAIN, image, out, ...more })
  return { folder, workspace, events, convert, at: (name: string): string => join(folder, name) }
}

describe('imageConvert', () => {
  test('what the guest sees is the same in every format, compressed or not, over any way there', async (t) => {
    const { at, convert } = await makePlace(t)
    const step = fc.record({ format: fc.constantFrom('raw', 'qcow2', 'vmdk', 'vdi'), compress: fc.boolean() })
    let run = 0
    await fc.assert(
      fc.asyncProperty(diskPlan, fc.array(step, { minLength: 1, maxLength: 3 }), async (plan, steps) => {
        const original = `${run++}.raw`
        await writeDisk(at(original), plan)
        let from = original
        for (const [number, { format, compress }] of steps.entries()) {
          const to = `${run}-${number}.${format}`
          const canCompress = format === 'qcow2' || format === 'vmdk'
          const { neededBytes } = await convert(from, to, { compress: compress && canCompress })
          compareDisks(['raw', at(original)], [format, at(to)])
          if (format === 'qcow2') img('check', '-q', '-f', 'qcow2', at(to))
          const { blocks } = await stat(at(to))
          if (!compress) assert.ok(blocks * 512 <= neededBytes + 2 ** 18, `${blocks * 512} of ${neededBytes}`)
          from = to
        }
      }),
      { numRuns: 6, seed: Number(process.env['VMPKG_SEED'] ?? 9) },
    )
  })

  test('writes nothing over what is there, and nothing into what it reads', async (t) => {
    const { at, folder, convert } = await makePlace(t)
    await writeDisk(at('a.raw'), { sectors: 100, parts: [{ at: 0, length: 5000, kind: 'noise' }] })
    await writeFile(at('b.qcow2'), 'mine')
    await symlink('a.raw', at('same.raw'))
    await assert.rejects(convert('a.raw', 'b.qcow2'), { code: 'USAGE', hint: /--force/ })
    await assert.rejects(convert('a.raw', 'same.raw', { force: true }), { code: 'USAGE', message: /onto itself/ })
    await assert.rejects(convert('a.raw', 'no/b.qcow2'), { code: 'USAGE', message: /no folder/ })
    await assert.rejects(convert('a.raw', 'b'), { code: 'USAGE', hint: /--format/ })
    await assert.rejects(convert('a.raw', 'b.vdi', { compress: true }), { code: 'USAGE' })
    await assert.rejects(convert('a.raw', 'b.iso'), { code: 'USAGE' })
    await assert.rejects(convert('nothing.raw', 'c.qcow2'), { code: 'USAGE' })
    await convert('a.raw', 'c.qcow2', { dryRun: true })
    assert.equal(await readFile(at('b.qcow2'), 'utf8'), 'mine')
    assert.deepEqual((await readdir(folder)).toSorted(), ['a.raw', 'b.qcow2', 'same.raw'])
    await chmod(at('a.raw'), 0o640)
    await convert('a.raw', 'b.qcow2', { force: true })
    compareDisks(['raw', at('a.raw')], ['qcow2', at('b.qcow2')])
    assert.equal((await stat(at('b.qcow2'))).mode & 0o777, 0o640)
  })

  test('reads what an image stands on only when told to, and then all of it', async (t) => {
    const { at, convert } = await makePlace(t)
    await writeDisk(at('base.raw'), { sectors: 5000, parts: [{ at: 0, length: 200_000, kind: 'noise' }] })
    img('create', '-q', '-f', 'qcow2', '-b', at('base.raw'), '-F', 'raw', at('top.qcow2'))
    execFileSync('qemu-io', ['-c', 'write -P 5 64k 10k', at('top.qcow2')], { stdio: 'pipe' })
    await assert.rejects(convert('top.qcow2', 'flat.raw'), { code: 'IMAGE_INVALID', hint: /--backing/ })
    const { flattened } = await convert('top.qcow2', 'flat.raw', { backing: true })
    assert.deepEqual(flattened, [at('base.raw')])
    compareDisks(['qcow2', at('top.qcow2')], ['raw', at('flat.raw')])
  })

  test('unpacks what is packed, and takes a raw disk that looks like qcow2 as raw (A08)', async (t) => {
    const { at, convert } = await makePlace(t)
    await writeDisk(at('a.raw'), { sectors: 3000, parts: [{ at: 4000, length: 200_000, kind: 'text' }] })
    img('convert', '-O', 'qcow2', at('a.raw'), at('b.qcow2'))
    execFileSync('xz', ['-k', at('b.qcow2')])
    await convert('b.qcow2.xz', 'c.vmdk')
    compareDisks(['raw', at('a.raw')], ['vmdk', at('c.vmdk')])
    await assert.rejects(convert('b.qcow2.xz', 'd.vmdk', { maxSize: '1KiB' }), { code: 'SIZE_EXCEEDED' })
    img('create', '-q', '-f', 'qcow2', '-u', '-b', '/etc/passwd', '-F', 'raw', at('hostile'), '1M')
    await assert.rejects(convert('hostile', 'e.raw'), { code: 'IMAGE_INVALID', hint: /--format qcow2/ })
    await convert('hostile', 'e.qcow2', { fromFormat: 'raw' })
    compareDisks(['raw', at('hostile')], ['qcow2', at('e.qcow2')])
  })

  test('reads a signed image and writes none', async (t) => {
    const { at, workspace, convert } = await makePlace(t)
    const line = tinyLine('app-tiny', '1.0')
    const [, stored = ''] = await storeObjects(workspace, line)
    workspace.installed.put(installedOf(line))
    await convert('app-tiny', 'a.qcow2')
    await convert('app-tiny:disk', 'b.raw')
    assert.equal((await stat(at('b.raw'))).mode & 0o777, 0o600)
    compareDisks(['raw', at('b.raw')], ['qcow2', at('a.qcow2')])
    await assert.rejects(convert('app-tiny:other', 'c.raw'), { code: 'USAGE', hint: /app-tiny:disk/ })
    await assert.rejects(convert('app-none', 'c.raw'), { code: 'USAGE', message: /no such package/ })
    await writeDisk(at('app-tiny'), { sectors: 8, parts: [] })
    assert.equal((await convert('./app-tiny', 'd.qcow2', { fromFormat: 'raw' })).virtualSize, 4096)
    await assert.rejects(convert('a.qcow2', stored, { force: true, format: 'raw' }), { code: 'IMAGE_READ_ONLY' })
    await mkdir(join(workspace.paths.state, 'connections'), { recursive: true })
    await assert.rejects(convert('a.qcow2', join(workspace.paths.state, 'connections/x.raw')), {
      code: 'IMAGE_READ_ONLY',
    })
  })

  test('tells how far it is, and leaves nothing when it is interrupted or dies', async (t) => {
    const abort = new AbortController()
    const { at, folder, events, convert } = await makePlace(t, abort.signal)
    await writeDisk(at('a.raw'), { sectors: 16_384, parts: [{ at: 0, length: 8 * 2 ** 20, kind: 'noise' }] })
    const abandoned = '.b.qcow2.vmpkg-4000000-1.tmp'
    await writeFile(at(abandoned), 'of a process that was killed')
    await convert('a.raw', 'b.qcow2')
    const done = events.flatMap((event) => (event.type === 'image-progressed' ? [event.doneBytes] : []))
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    )
    assert.equal(done.at(-1), 16_384 * 512)
    const before = (await readdir(folder)).toSorted()
    assert.ok(!before.includes(abandoned))
    const running = convert('a.raw', 'c.qcow2', { compress: true })
    while (!(await readdir(folder)).some((name) => name.startsWith('.c.qcow2'))) await new Promise(setImmediate)
    abort.abort()
    await assert.rejects(running, { code: 'ABORTED' })
    assert.deepEqual((await readdir(folder)).toSorted(), before)
  })
})
