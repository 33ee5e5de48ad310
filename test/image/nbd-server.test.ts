import assert from 'node:assert/strict'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { withServedImage } from '../../src/image/nbd-server.ts'
import type { Processes } from '../../src/ports.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 1024 * 1024

/** A server that is slow between making its socket and listening at it. */
const LATE = `
import os, socket, sys, time
path = sys.argv[sys.argv.index('--socket') + 1]
waiting = socket.socket(socket.AF_UNIX)
waiting.bind(path)
time.sleep(0.5)
os.unlink(path)
os.execvp(sys.argv[1], sys.argv[1:])
`
/** One that stays when its client is gone. */
const NONSENSE = `
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[sys.argv.index('--socket') + 1])
server.listen()
client, _ = server.accept()
client.send(b'x' * 18)
time.sleep(60)
`

const through = (script: string): Processes => ({
  ...realProcesses,
  run: (program, args, options) => realProcesses.run('python3', ['-c', script, program, ...args], options),
})

async function serve(t: TestContext, processes: Processes): Promise<Buffer> {
  const folder = await makeTempFolder(t)
  const file = join(folder, 'disk.raw')
  await writeFile(file, 'first bytes')
  await truncate(file, MIB)
  const options = { layers: [{ file, format: 'raw' }], access: 'write', folder, processes, virtualSize: MIB } as const
  return withServedImage(options, async (disk) => {
    await disk.write(MIB - 4, Buffer.from('last'))
    return Buffer.concat([await disk.read(0, 11), await disk.read(MIB - 4, 4)])
  })
}

test('an image is read and written', async (t) => {
  assert.equal((await serve(t, realProcesses)).toString(), 'first byteslast')
})

test('a server whose socket is there before it listens is waited for', { timeout: 30_000 }, async (t) => {
  assert.equal((await serve(t, through(LATE))).toString(), 'first byteslast')
})

test('a server that answers nonsense is ended, not waited for', { timeout: 30_000 }, async (t) => {
  await assert.rejects(serve(t, through(NONSENSE)), { code: 'DISK_FAILED' })
})
