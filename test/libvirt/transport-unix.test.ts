import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { dialUnix } from '../../src/libvirt/transport-unix.ts'
import { resolveUri, type UnixTarget } from '../../src/libvirt/uri.ts'

const around: Surroundings = {
  env: { XDG_RUNTIME_DIR: '/nonexistent/run', PATH: '/nonexistent/bin' },
  uid: 1000,
  home: '/nonexistent',
  exists: () => false,
  read: () => undefined,
}
const dial = (uri: string) => dialUnix(resolveUri(uri, around, false) as UnixTarget, around, undefined)

describe('dialUnix', () => {
  test('says which daemon would have to be installed', async () => {
    const lacks = (message: string) => (error: unknown) =>
      error instanceof LibvirtError && error.is('noServer') && error.local && error.message === message
    const folder = '/nonexistent/run/libvirt'
    await assert.rejects(
      dial('storage:///session?mode=direct'),
      lacks(`no libvirt daemon answers at ${folder}/virtstoraged-sock, and virtstoraged is not installed to start`),
    )
    await assert.rejects(
      dial('qemu:///session'),
      lacks(
        `no libvirt daemon answers at ${folder}/libvirt-sock or ${folder}/virtqemud-sock, and virtqemud or libvirtd is not installed to start`,
      ),
    )
  })

  test("starts nothing for the system's daemon, nor for a socket that was named", async () => {
    for (const uri of ['lxc:///nonexistent?mode=direct', 'qemu:///session?socket=/nonexistent/s'])
      await assert.rejects(
        dial(uri),
        (error) => error instanceof ConnectionClosed && /cannot reach libvirt at/.test(error.message),
      )
  })
})
