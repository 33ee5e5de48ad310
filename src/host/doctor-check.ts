/** One thing that doctor looks at, and how it reaches the host: below a root and through a search path, so that trees serve as tests. */
import { constants } from 'node:fs'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Processes } from '../ports.ts'
import type { FileUser } from './access-rights.ts'
import { findExecutable } from './program-path.ts'
import { parseQemuConf, parseUserIds } from './qemu-user.ts'

type CheckStatus = 'ok' | 'warning' | 'problem' | 'unknown' | 'not-applicable'

export const CHECK_GROUPS = [
  'processor',
  'memory',
  'kernel',
  'devices',
  'libvirt',
  'network',
  'storage',
  'vmpkg',
] as const

export interface CheckResult {
  /** Stable. */
  readonly id: string
  readonly group: (typeof CHECK_GROUPS)[number]
  readonly status: CheckStatus
  /** What was found. One sentence without its full stop. */
  readonly seen: string
  /** What it means for guests; for everything that is not ok. */
  readonly why?: string
  readonly fix?: string
}

export interface DoctorHost {
  /** Put before /proc, /sys, /etc, /dev, /run, /usr and /var; empty for the real ones. */
  readonly root: string
  readonly path: string
  readonly uid: number
  readonly userName: string
  readonly processes: Processes
}

/** The text of a file, without white space around it; `undefined` where it cannot be read. */
export async function readText(host: DoctorHost, path: string): Promise<string | undefined> {
  return readFile(join(host.root, path), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

export async function listFolder(host: DoctorHost, path: string): Promise<readonly string[]> {
  return readdir(join(host.root, path)).catch(() => [])
}

export async function exists(host: DoctorHost, path: string): Promise<boolean> {
  return stat(join(host.root, path)).then(
    () => true,
    () => false,
  )
}

/** May this user read and write it? */
export async function isOpen(host: DoctorHost, path: string): Promise<boolean> {
  return access(join(host.root, path), constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** The first place of a program in the search path or in the further folders. */
export async function findProgram(
  host: DoctorHost,
  name: string,
  more: readonly string[] = [],
): Promise<string | undefined> {
  const folders = host.path.split(':').filter((one) => one !== '')
  return findExecutable(name, [...folders, ...more.map((one) => join(host.root, one))])
}

/** As whom the system's libvirt runs QEMU; `ids` is undefined where there is no such user. */
export async function readQemuUser(host: DoctorHost): Promise<{ readonly user: string; readonly ids?: FileUser }> {
  const [conf = '', passwd = '', group = ''] = await Promise.all(
    ['/etc/libvirt/qemu.conf', '/etc/passwd', '/etc/group'].map((path) => readText(host, path)),
  )
  const { user } = parseQemuConf(conf)
  const ids = parseUserIds(user, passwd, group)
  return ids === undefined ? { user } : { user, ids }
}

export function ok(group: CheckResult['group'], id: string, seen: string): CheckResult {
  return { id, group, status: 'ok', seen }
}

export function notApplicable(group: CheckResult['group'], id: string, seen: string): CheckResult {
  return { id, group, status: 'not-applicable', seen }
}

export function bad(
  status: 'warning' | 'problem' | 'unknown',
  group: CheckResult['group'],
  id: string,
  [seen, why, fix]: readonly [seen: string, why: string, fix: string],
): CheckResult {
  return { id, group, status, seen, why, fix }
}
