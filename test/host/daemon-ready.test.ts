import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isDaemonReady } from '../../src/host/daemon-ready.ts'
import { privateHostMissing, withPrivateHost } from '../support/private-host.ts'

const skip = await privateHostMissing()

/** Asks a server that behaves as `behave` does. */
async function ask(behave: (socket: Socket) => void): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'vmpkg-ready-'))
  const server = createServer((socket) => {
    socket.on('error', () => {})
    behave(socket)
  })
  try {
    await new Promise<void>((resolve) => {
      server.listen(join(dir, 'sock'), resolve)
    })
    return await isDaemonReady(join(dir, 'sock'), 100)
  } finally {
    server.close()
    await rm(dir, { recursive: true, force: true })
  }
}

describe('isDaemonReady', () => {
  test('believes a libvirt that answers', { skip }, async () => {
    await withPrivateHost(async ({ host }) => assert.equal(await isDaemonReady(host.socket, 5_000), true))
  })

  test('is false for a socket that is absent, silent, closing or of another protocol', async () => {
    assert.equal(await isDaemonReady('/nonexistent/socket', 100), false)
    assert.equal(await ask(() => {}), false)
    assert.equal(await ask((socket) => socket.destroy()), false)
    assert.equal(await ask((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')), false)
  })
})
