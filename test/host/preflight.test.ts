import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  canUseSystemLibvirt,
  checkSpace,
  getSystemSocket,
  inspectSocket,
  parseAvailableMemoryKib,
} from '../../src/host/preflight.ts'
import { privateHostMissing, withPrivateHost } from '../support/private-host.ts'

const skip = await privateHostMissing()
let dir: string
let server: Server

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vmpkg-pre-'))
  server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => {
    server.listen(join(dir, 'silent'), resolve)
  })
})
after(async () => {
  server.close()
  await rm(dir, { recursive: true, force: true })
})

describe('getSystemSocket', () => {
  test('tells how to install libvirt where its sockets are absent', async () => {
    const sockets = [join(dir, 'virtqemud-sock'), join(dir, 'libvirt-sock')]
    assert.equal(await canUseSystemLibvirt(sockets), false)
    await assert.rejects(getSystemSocket(sockets), { code: 'LIBVIRT_UNREACHABLE', hint: /libvirt-daemon-system/ })
  })

  test('tells how to restart a libvirt that does not answer', async () => {
    assert.equal(await inspectSocket(join(dir, 'silent')), 'silent')
    await assert.rejects(getSystemSocket([join(dir, 'silent')]), { code: 'LIBVIRT_UNREACHABLE', hint: /restart/ })
  })

  test('tells a user who may not open the socket of the group', {
    skip: userInfo().uid === 0 && 'root may',
  }, async () => {
    await writeFile(join(dir, 'closed'), '')
    await chmod(join(dir, 'closed'), 0)
    assert.equal(await inspectSocket(join(dir, 'closed')), 'closed')
    await assert.rejects(getSystemSocket([join(dir, 'closed')]), { code: 'LIBVIRT_UNREACHABLE', hint: /-aG libvirt/ })
  })

  test('finds the socket that serves', { skip }, async () => {
    await withPrivateHost(async ({ host }) => {
      assert.equal(await getSystemSocket([join(dir, 'silent'), host.socket]), host.socket)
      assert.equal(await canUseSystemLibvirt([host.socket]), true)
    })
  })
})

test('free memory is what the kernel calls available', () => {
  assert.equal(
    parseAvailableMemoryKib('MemTotal:       24684288 kB\nMemFree:         100 kB\nMemAvailable:    2048 kB\n'),
    2_048,
  )
  assert.equal(parseAvailableMemoryKib('nonsense'), undefined)
})

describe('checkSpace', () => {
  test('looks at the nearest folder that exists', async () => {
    await checkSpace(join(dir, 'not', 'yet', 'there'), 1)
    await assert.rejects(checkSpace(join(dir, 'not', 'yet'), 2 ** 60), { code: 'NO_SPACE' })
  })
})
