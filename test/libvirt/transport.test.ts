/** Session autospawn with a real daemon, as a user who is not root; and servers that are not libvirt. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { Connect } from '../../src/libvirt/connect.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { makePlace, removePlace, withoutLibvirt } from '../support/private-libvirt.ts'

const index = new URL('../../src/libvirt/index.ts', import.meta.url).href
const script = `
  const { Connect } = await import(${JSON.stringify(index)})
  await using connect = await Connect.open('qemu:///session')
  console.log(JSON.stringify([await connect.getUri(), (await connect.listAllDomains()).length]))
`

describe('dial', () => {
  test('starts the session daemon where none runs, also for several at once', {
    skip: withoutLibvirt,
    timeout: 30_000,
  }, async () => {
    const place = await makePlace()
    try {
      const asUser = process.geteuid?.() === 0 ? ['--reuid=65534', '--regid=65534', '--clear-groups'] : []
      const args = [...asUser, process.execPath, '--input-type=module', '-e', script]
      const run = () => promisify(execFile)('setpriv', args, { env: { ...place.env }, cwd: '/' })
      const outputs = await Promise.all([run(), run(), run()])
      for (const { stdout } of outputs) assert.deepEqual(JSON.parse(stdout), ['qemu:///session', 0])
    } finally {
      await removePlace(place.folder)
    }
  })

  test('loads TLS, cryptography and processes only where they are needed', async () => {
    const code = `
      const { Connect } = await import(${JSON.stringify(index)})
      await Connect.open('qemu:///system?socket=/nonexistent').catch(() => {})
      const loaded = process.moduleLoadList.filter((name) => /^NativeModule (tls|crypto|child_process)$/.test(name))
      console.log(JSON.stringify(loaded))
    `
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
    assert.deepEqual(JSON.parse(stdout), [])
  })

  test('says which socket does not answer', async () => {
    await assert.rejects(
      Connect.open('qemu:///system?socket=/nonexistent/socket'),
      (error) =>
        error instanceof ConnectionClosed && /cannot reach libvirt at \/nonexistent\/socket/.test(error.message),
    )
  })

  test('gives up on a server that is silent, closes at once, or is not libvirt', async () => {
    await withServer(
      () => {},
      async (uri) => {
        await assert.rejects(
          Connect.open(uri, { timeoutMs: 50 }),
          (error) => error instanceof LibvirtError && error.is('operationTimeout'),
        )
        await assert.rejects(Connect.open(uri, { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
      },
    )
    await withServer(
      (socket) => socket.destroy(),
      async (uri) => {
        await assert.rejects(Connect.open(uri), ConnectionClosed)
      },
    )
    await withServer(
      (socket) => socket.write('220 mail.example.org ESMTP\r\n'.repeat(3)),
      async (uri) => {
        await assert.rejects(Connect.open(uri), ConnectionClosed)
      },
    )
  })

  test('does not begin when the signal has fired already', async () => {
    await assert.rejects(Connect.open('qemu:///system?socket=/nonexistent', { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    })
  })
})

async function withServer(
  answer: (socket: { write(text: string): unknown; destroy(): unknown }) => void,
  use: (uri: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vl-'))
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    sockets.add(socket)
    answer(socket)
  })
  const sockets = new Set<{ destroy(): unknown }>()
  try {
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
    await use(`qemu:///system?socket=${join(folder, 's')}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}
