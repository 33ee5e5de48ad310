/** The client against `qemu-nbd`, whose images `qemu-img` and `qemu-io` look at. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { openNbd } from '../../src/image/nbd-client.ts'
import { withServedImage } from '../../src/image/nbd-server.ts'
import { realProcesses as processes } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const KIB = 1024
const SIZE = 8 * KIB * KIB

function makeImage(folder: string, name: string, ...commands: readonly string[]): string {
  const file = join(folder, name)
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, String(SIZE)])
  if (commands.length > 0)
    execFileSync('qemu-io', [...commands.flatMap((one) => ['-c', one]), file], { stdio: 'ignore' })
  return file
}

test('a disk is read, and said to be empty, as QEMU’s own tools see it', async (t) => {
  const folder = await makeTempFolder(t)
  const file = makeImage(folder, 'disk', 'write -P 7 1M 192k', 'write -P 9 4M 64k')
  const options = { layers: [{ file, format: 'qcow2' as const }], access: 'read' as const, virtualSize: SIZE }
  await withServedImage({ ...options, folder, processes }, async (disk) => {
    assert.equal(disk.size, SIZE)
    const [middle, end] = await Promise.all([disk.read(1024 * KIB - 512, 1024), disk.read(SIZE - 512, 512)])
    assert.deepEqual(middle, Buffer.concat([Buffer.alloc(512), Buffer.alloc(512, 7)]))
    assert.deepEqual(end, Buffer.alloc(512))
    const extents = (await disk.blockStatus(0, SIZE)).get('base:allocation')
    assert.deepEqual(
      extents?.map(({ length, flags }) => [length / KIB, (flags & 2) !== 0]),
      [
        [1024, true],
        [192, false],
        [2880, true],
        [64, false],
        [4032, true],
      ],
    )
  })
})

test('what is written, and what is made zero, is there for others once it is served no more', async (t) => {
  const folder = await makeTempFolder(t)
  const file = makeImage(folder, 'disk', 'write -P 1 0 256k')
  const expected = makeImage(folder, 'expected', 'write -P 1 0 64k', 'write -P 5 3M 1k')
  const options = { layers: [{ file, format: 'qcow2' as const }], access: 'write' as const, virtualSize: SIZE }
  await withServedImage({ ...options, folder, processes }, async (disk) => {
    await Promise.all([disk.writeZeros(64 * KIB, 192 * KIB), disk.write(3072 * KIB, Buffer.alloc(KIB, 5))])
  })
  execFileSync('qemu-img', ['compare', '-q', file, expected])
  execFileSync('qemu-img', ['check', '-q', file])
})

test('a request outside the disk fails alone, and one after it is answered', async (t) => {
  const folder = await makeTempFolder(t)
  const file = makeImage(folder, 'disk')
  const options = { layers: [{ file, format: 'qcow2' as const }], access: 'read' as const, virtualSize: SIZE }
  await withServedImage({ ...options, folder, processes }, async (disk) => {
    await assert.rejects(disk.read(SIZE, 512), (error) => isVmpkgError(error, 'DISK_FAILED'))
    assert.equal((await disk.read(0, 512)).length, 512)
  })
})

test('an image that a machine has open is not served', async (t) => {
  const folder = await makeTempFolder(t)
  const file = makeImage(folder, 'disk')
  const options = { layers: [{ file, format: 'qcow2' as const }], access: 'write' as const, virtualSize: SIZE }
  await withServedImage({ ...options, folder, processes }, async () => {
    await assert.rejects(
      withServedImage({ ...options, folder, processes }, async () => {}),
      (error) => isVmpkgError(error, 'IMAGE_IN_USE'),
    )
  })
})

test('a server that speaks nonsense, or goes away, is told', async (t) => {
  const folder = await makeTempFolder(t)
  for (const [name, answer] of [
    ['silent', ''],
    ['web', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['half', 'NBDMAGICIHAVEOPT\0\x03'],
  ] as const) {
    const socket = join(folder, name)
    const server = createServer((peer) => peer.end(Buffer.from(answer, 'latin1')))
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    t.after(() => server.close())
    await assert.rejects(openNbd({ socket, exportName: 'x' }), (error) => isVmpkgError(error, 'DISK_FAILED'))
  }
})
