/** What a domain tells only when something happens to it: a screen is looked at, a disk fails, a medium is missing. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { bootSector, guestXml } from '../guest-xml.ts'
import type { Exercise } from './exercise.ts'

export async function tellsWhoLooksAtItsScreen(x: Exercise): Promise<void> {
  const socket = x.at('screen')
  const devices = `<graphics type='vnc' socket='${socket}'/><video><model type='vga'/></video>`
  await x.withDomain({ name: 'screen', devices }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    const viewer = dial(socket)
    const [greeting] = (await once(viewer, 'data')) as [Buffer]
    assert.match(greeting.toString('latin1'), /^RFB /)
    viewer.destroy()
    await x.events.until('domain.graphics', (e) => e.phase === 'disconnect')
  })
}

export async function tellsWhatItsGuestDoesNotSee(x: Exercise): Promise<void> {
  const missing = x.at('missing.iso')
  const cdrom = `<disk type='file' device='cdrom'><source file='${missing}' startupPolicy='optional'/><target dev='sda' bus='sata'/><readonly/></disk>`
  await x.withDomain({ name: 'missing', devices: cdrom }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    await x.events.until('domain.diskChange', (e) => e.oldSrcPath === missing)
    const tablet = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>"
    await domain.attachDevice({ xml: tablet, flags: ['live'] })
    await domain.detachDeviceAlias({ alias: 'ua-tablet', flags: ['live'] })
    await x.events.until('domain.deviceRemoved', (e) => e.devAlias === 'ua-tablet')
  })
}

/** Its disk is served by a process that ends before the guest reads. libvirt 9.0 tells nothing of a disk without a path. */
export async function tellsThatItsDiskFails(x: Exercise): Promise<void> {
  const socket = x.at('disk')
  const image = x.at('served.raw')
  await writeFile(image, bootSector())
  const server = await serveDisk(socket, image)
  const disk = `<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='disk'><host transport='unix' socket='${socket}'/></source><target dev='vda' bus='virtio'/><boot order='1'/></disk>`
  const xml = guestXml({ name: 'failing', devices: disk })
  try {
    const domain = await x.connect.domainCreateXML({ xml, flags: ['paused'] })
    await end(server)
    await domain.resume()
    for (const name of ['domain.ioError', 'domain.ioErrorReason'] as const)
      await x.events.until(name, (e) => e.action === 'reported')
    await domain.destroy()
  } finally {
    await end(server)
  }
}

async function serveDisk(socket: string, image: string): Promise<ChildProcess> {
  const server = spawn(
    'qemu-nbd',
    ['--persistent', '--format=raw', '--export-name=disk', `--socket=${socket}`, image],
    { stdio: 'ignore' },
  )
  for (let tries = 0; !existsSync(socket); tries++) {
    assert.ok(tries < 500 && server.exitCode === null, 'qemu-nbd did not start')
    await sleep(20)
  }
  await chmod(socket, 0o777)
  return server
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  server.kill('SIGKILL')
  await ended
}
