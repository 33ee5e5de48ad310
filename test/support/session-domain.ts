/** A private session daemon with a guest that is started, paused and removed around a test. */
import { join } from 'node:path'
import { Connect } from '../../src/libvirt/connect.ts'
import type { Domain } from '../../src/libvirt/domain.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { bootSector, type GuestOptions, guestXml } from './guest-xml.ts'
import { startPrivateLibvirt } from './private-libvirt.ts'

/** For `assert.rejects`: the daemon's refusal with one of these codes. */
export const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names) && !error.local

export interface SessionDomains extends AsyncDisposable {
  readonly connect: Connect
  /** A folder of the daemon's user. */
  readonly folder: string
  /** Defines a guest with a disk `vda`, starts it paused, and removes it with what belongs to it. */
  withGuest(options: GuestOptions, use: (domain: Domain) => Promise<void>): Promise<void>
}

export async function startSession(name = 'qemu:///session'): Promise<SessionDomains> {
  const daemon = await startPrivateLibvirt()
  const folder = await daemon.makeFolder('disks')
  const disk = await daemon.makeFile(join(folder, 'boot.raw'), bootSector())
  const connect = await Connect.open(daemon.uri(name))
  return {
    connect,
    folder,
    withGuest: async (options, use) => {
      const domain = await connect.domainDefineXML({ xml: guestXml({ disk, ...options }), flags: ['validate'] })
      try {
        await domain.create({ flags: ['paused'] })
        await use(domain)
      } finally {
        if (await domain.isActive()) await domain.destroy()
        await domain.undefine({ flags: ['managedSave', 'snapshotsMetadata', 'checkpointsMetadata'] })
      }
    },
    [Symbol.asyncDispose]: async () => {
      await connect.close()
      await daemon.stop()
    },
  }
}
