/**
 * Where a private host is and whether it lives. The record is written by the host's first process itself, so it is
 * there from the first moment; it is true only while that very process (number, start tick, boot) lives.
 *
 * A stale record is left alone here: only who holds the host's locks may remove it (start, or the host's keeper).
 * Source: private-host.md. Not hostile: both folders belong to the caller and are closed to others.
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { checkPrivateHostName, formatPrivateHostUri } from './private-host-config.ts'
import { isProcessAlive, type ProcessIdentity, parseProcessStat, readBootId } from './process-identity.ts'

export const UPLINKS = ['none', 'slirp4netns'] as const

/** `none`: no way out at all. `slirp4netns`: outgoing connections as the caller's own, the caller's loopback closed. */
export type Uplink = (typeof UPLINKS)[number]

/** The two folders that hold one folder per private host. */
export interface PrivateHostFolders {
  /** Kept between runs: libvirt's definitions, capability cache, logs. */
  readonly durableDir: string
  /** Sockets and record. Short, and gone at reboot. */
  readonly runtimeDir: string
}

/** A living private host. */
export interface PrivateHost extends ProcessIdentity {
  readonly name: string
  /** For any libvirt client outside, such as virsh or virt-manager. */
  readonly uri: string
  /** Path of libvirtd's socket; the same inside and outside. */
  readonly socket: string
  /** This host's own folders. */
  readonly durableFolder: string
  readonly runtimeFolder: string
  readonly uplink: Uplink
  /** True when it runs in a user namespace, for a user who is not root. */
  readonly rootless: boolean
  /** True when guests inside can open /dev/kvm. */
  readonly kvm: boolean
}

/** What the starter tells the record. */
export const recordSchema = z.object({
  bootId: z.string(),
  durableFolder: z.string(),
  uplink: z.enum(UPLINKS),
  rootless: z.boolean(),
})

export type PrivateHostRecord = z.infer<typeof recordSchema>

/** @throws {VmpkgError} `NAME_INVALID` */
export function privateHostFolders(name: string, folders: PrivateHostFolders): PrivateHostFolders {
  checkPrivateHostName(name)
  return { durableDir: join(folders.durableDir, name), runtimeDir: join(folders.runtimeDir, name) }
}

/** The living host of this name, or `undefined`. It may still be starting. @throws {VmpkgError} `NAME_INVALID` */
export async function findPrivateHost(
  name: string,
  folders: Pick<PrivateHostFolders, 'runtimeDir'>,
): Promise<PrivateHost | undefined> {
  checkPrivateHostName(name)
  const runtimeFolder = join(folders.runtimeDir, name)
  const text = await readFile(join(runtimeFolder, 'record'), 'utf8').catch(() => '')
  const [statLine = '', recordLine = ''] = text.split('\n')
  const first = parseProcessStat(statLine)
  const record = recordSchema.safeParse(parseJson(recordLine))
  if (first === undefined || !record.success) return undefined
  const { bootId, durableFolder, uplink, rootless } = record.data
  if (bootId !== (await readBootId()) || !(await isProcessAlive(first))) return undefined
  return {
    name,
    pid: first.pid,
    startTime: first.startTime,
    uri: formatPrivateHostUri(runtimeFolder),
    socket: join(runtimeFolder, 'libvirt-sock'),
    durableFolder,
    runtimeFolder,
    uplink,
    rootless,
    kvm: await exists(`/proc/${first.pid}/root/dev/kvm`),
  }
}

/** The living hosts of this runtime folder, by name. */
export async function listPrivateHosts(folders: Pick<PrivateHostFolders, 'runtimeDir'>): Promise<PrivateHost[]> {
  const names = await readdir(folders.runtimeDir).catch(() => [])
  const hosts: PrivateHost[] = []
  for (const name of names.filter((each) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(each)).toSorted()) {
    const host = await findPrivateHost(name, folders)
    if (host !== undefined) hosts.push(host)
  }
  return hosts
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
