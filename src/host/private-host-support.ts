/**
 * Whether this machine can carry a private host, found by trying, and explained by the settings that commonly forbid
 * it. Each refusal names the next step.
 *
 * Source: user_namespaces(7), subuid(5), newuidmap(1), Ubuntu's and Debian's kernel settings.
 */
import { access, constants, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import type { Uplink } from './private-host-record.ts'
import { checkTools, SYSTEM_PATH, type Tool } from './tools.ts'

const ALWAYS: readonly Tool[] = [
  'unshare',
  'nsenter',
  'setsid',
  'flock',
  'setpriv',
  'mount',
  'ip',
  'tini',
  'libvirtd',
  'virtlogd',
  'dnsmasq',
  'iptables',
  'qemu-system-x86_64',
]
const ROOTLESS: readonly Tool[] = ['newuidmap', 'newgidmap']

export interface SupportOptions {
  readonly processes: Processes
  readonly rootless: boolean
  readonly uplink: Uplink
}

/** @throws {VmpkgError} `TOOL_MISSING`, `PRIVATE_HOST_FAILED` with the reason and the next step */
export async function checkPrivateHostSupport(options: SupportOptions): Promise<void> {
  const { rootless, uplink } = options
  await checkTools([
    ...ALWAYS,
    ...(rootless ? ROOTLESS : []),
    ...(uplink === 'slirp4netns' ? (['slirp4netns'] as const) : []),
  ])
  await checkTunDevice()
  if (rootless) await checkSubordinateIds()
  await tryNamespaces(options)
}

async function checkTunDevice(): Promise<void> {
  const path = '/dev/net/tun'
  await access(path, constants.R_OK | constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === 'ENOENT'
    throw new VmpkgError('PRIVATE_HOST_FAILED', `${path} ${missing ? 'does not exist' : 'is closed to you'}`, {
      cause,
      hint: missing ? 'Run: sudo modprobe tun' : `Run: sudo chmod 666 ${path} (udev's usual mode).`,
    })
  })
}

async function checkSubordinateIds(): Promise<void> {
  const { username, uid } = userInfo()
  for (const path of ['/etc/subuid', '/etc/subgid']) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (hasSubordinateIds(text, username, uid)) continue
    throw new VmpkgError('PRIVATE_HOST_FAILED', `${path} grants ${username} no range of ids`, {
      hint: `Run: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
    })
  }
}

/** libvirt's packaged user has id 64055, so a smaller range would leave it without a place. */
const LEAST_IDS = 65_536

/** True when a subuid(5) text grants the user one range of at least 65 536 ids. */
export function hasSubordinateIds(text: string, username: string, uid: number): boolean {
  return text.split('\n').some((line) => {
    const [owner, start, count] = line.trim().split(':')
    const isOwner = owner === username || owner === String(uid)
    return isOwner && /^\d+$/.test(start ?? '') && /^\d+$/.test(count ?? '') && Number(count) >= LEAST_IDS
  })
}

async function tryNamespaces(options: SupportOptions): Promise<void> {
  const user = options.rootless ? ['--user', '--map-root-user', '--map-auto'] : []
  const result = await options.processes.run(
    'unshare',
    [...user, '--net', '--mount', '--pid', '--fork', '--uts', '--ipc', 'mount', '-n', '-t', 'tmpfs', 'tmpfs', '/tmp'],
    { cwd: '/', env: { PATH: SYSTEM_PATH, LANG: 'C' }, timeoutMs: 10_000 },
  )
  if (result.exitCode === 0) return
  const settings = await readSettings()
  const said = JSON.stringify(result.stderr.trim().slice(0, 300))
  throw new VmpkgError('PRIVATE_HOST_FAILED', `This machine lets you make no namespaces: ${said}`, {
    hint: explainClosedNamespaces(settings, options.rootless),
    details: { settings },
  })
}

const SETTINGS = {
  unprivilegedClone: '/proc/sys/kernel/unprivileged_userns_clone',
  appArmorRestricts: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  maxUserNamespaces: '/proc/sys/user/max_user_namespaces',
} as const

/** Values as the kernel writes them; `undefined` where this kernel has no such setting. */
export type NamespaceSettings = { readonly [key in keyof typeof SETTINGS]: string | undefined }

/** True where a setting of the kernel alone forbids what `tryNamespaces` would try, which takes a moment. */
export async function areNamespacesClosed(): Promise<boolean> {
  return isClosed(await readSettings())
}

/** Of root's rights nothing is said: root may make them in any case. */
export function isClosed({ unprivilegedClone, appArmorRestricts, maxUserNamespaces }: NamespaceSettings): boolean {
  return unprivilegedClone === '0' || maxUserNamespaces === '0' || appArmorRestricts === '1'
}

async function readSettings(): Promise<NamespaceSettings> {
  return {
    unprivilegedClone: await readSetting(SETTINGS.unprivilegedClone),
    appArmorRestricts: await readSetting(SETTINGS.appArmorRestricts),
    maxUserNamespaces: await readSetting(SETTINGS.maxUserNamespaces),
  }
}

async function readSetting(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text?.trim()
}

/** The next step for a user whom the kernel refuses namespaces. */
export function explainClosedNamespaces(settings: NamespaceSettings, rootless: boolean): string {
  if (!rootless) return 'Root here may not make namespaces: leave the container, or give it the right CAP_SYS_ADMIN.'
  if (settings.unprivilegedClone === '0') return 'Run: sudo sysctl kernel.unprivileged_userns_clone=1'
  if (settings.maxUserNamespaces === '0') return 'Run: sudo sysctl user.max_user_namespaces=15000'
  if (settings.appArmorRestricts === '1') {
    return 'Run: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (AppArmor restricts user namespaces).'
  }
  return 'Check the ranges in /etc/subuid and /etc/subgid and that newuidmap is setuid root.'
}
