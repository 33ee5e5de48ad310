/**
 * The programs that the host area calls, where they are found, and the Debian package that brings each.
 *
 * Source: `dpkg -S` on Debian 12 (virtlogd moved to libvirt-daemon-log in Debian 13).
 */
import { VmpkgError } from '../errors.ts'
import { findExecutable } from './program-path.ts'

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/** The search path given to every program we start: a user's own PATH often lacks the sbin folders. */
export const SYSTEM_PATH: string = FOLDERS.join(':')

const PACKAGES = {
  dnsmasq: 'dnsmasq-base',
  flock: 'util-linux',
  ip: 'iproute2',
  iptables: 'iptables',
  libvirtd: 'libvirt-daemon',
  mount: 'mount',
  newgidmap: 'uidmap',
  newuidmap: 'uidmap',
  nft: 'nftables',
  nsenter: 'util-linux',
  openssl: 'openssl',
  'qemu-img': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  qrencode: 'qrencode',
  setpriv: 'util-linux',
  setsid: 'util-linux',
  slirp4netns: 'slirp4netns',
  tini: 'tini',
  unshare: 'util-linux',
  virtlogd: 'libvirt-daemon',
} as const

export type Tool = keyof typeof PACKAGES

/** The absolute path of a program, or `undefined`. */
export async function findTool(tool: Tool): Promise<string | undefined> {
  return findExecutable(tool, FOLDERS)
}

/** @throws {VmpkgError} `TOOL_MISSING` naming every missing program and the packages to install */
export async function checkTools(tools: readonly Tool[], find = findTool): Promise<void> {
  const missing: Tool[] = []
  for (const tool of tools) {
    if ((await find(tool)) === undefined) missing.push(tool)
  }
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))].toSorted()
  throw new VmpkgError('TOOL_MISSING', `Not installed: ${missing.join(', ')}`, {
    hint: `Run: sudo apt-get install ${packages.join(' ')}`,
    details: { tools: missing, packages },
  })
}
