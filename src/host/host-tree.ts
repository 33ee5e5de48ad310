/** What a host has installed that its configuration depends on, read from its file tree. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface HostTree {
  /** Where words of the kernel command line go: a file of our own that grub-mkconfig sources, or a key in its file. */
  readonly grub: 'drop-in' | 'file' | 'none'
  /** Words of GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub as it is, with ours. */
  readonly grubText: string
  readonly hasInitramfsTools: boolean
  /** Command that makes GRUB's menu anew. */
  readonly grubCommand?: readonly string[]
  readonly initramfsCommand?: readonly string[]
  /** Members by name of the group. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  /** Units of libvirt's daemons that run QEMU. */
  readonly libvirtUnits: readonly string[]
  /** Path of qemu-bridge-helper, and whether it may do its work. */
  readonly bridgeHelper?: { readonly path: string; readonly isSetuid: boolean }
}

/** What reads its part of the configuration when it starts, and again when it is told to. */
export type HostDaemon = 'systemd' | 'udev'

const UNITS = ['libvirtd.service', 'virtqemud.service']
const BRIDGE_HELPERS = ['usr/lib/qemu/qemu-bridge-helper', 'usr/libexec/qemu-bridge-helper']
const SETUID = 0o4000
/** sd_booted(3); where udevadm talks to udev. */
const DAEMON_SIGNS: Readonly<Record<HostDaemon, string>> = { systemd: 'run/systemd/system', udev: 'run/udev/control' }

export async function readHostTree(target: string): Promise<HostTree> {
  const text = async (path: string): Promise<string | undefined> =>
    readFile(join(target, path), 'utf8').catch(() => undefined)
  const has = async (path: string): Promise<boolean> =>
    stat(join(target, path)).then(
      () => true,
      () => false,
    )
  const firstOf = async (paths: readonly string[]): Promise<string | undefined> => {
    for (const path of paths) if (await has(path)) return path
    return undefined
  }
  const program = async (name: string): Promise<boolean> =>
    (await firstOf(['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((folder) => `${folder}/${name}`))) !== undefined

  const grubText = await text('etc/default/grub')
  const mkconfig = (await text('usr/sbin/grub-mkconfig')) ?? (await text('usr/bin/grub-mkconfig'))
  // Debian's grub-mkconfig sources the folder; upstream's does not know it.
  const sourcesFolder = mkconfig === undefined ? await has('etc/default/grub.d') : mkconfig.includes('/default/grub.d')
  const grubCommand = (await program('update-grub'))
    ? ['update-grub']
    : (await program('grub2-mkconfig'))
      ? ['grub2-mkconfig', '-o', '/boot/grub2/grub.cfg']
      : mkconfig === undefined
        ? undefined
        : ['grub-mkconfig', '-o', '/boot/grub/grub.cfg']
  const initramfsCommand = (await program('update-initramfs'))
    ? ['update-initramfs', '-u']
    : (await program('dracut'))
      ? ['dracut', '--force']
      : (await program('mkinitcpio'))
        ? ['mkinitcpio', '-P']
        : undefined
  const units: string[] = []
  for (const unit of UNITS) {
    if ((await firstOf([`usr/lib/systemd/system/${unit}`, `lib/systemd/system/${unit}`])) !== undefined)
      units.push(unit)
  }
  const helper = await firstOf(BRIDGE_HELPERS)
  return {
    grub: sourcesFolder ? 'drop-in' : grubText === undefined ? 'none' : 'file',
    grubText: grubText ?? '',
    hasInitramfsTools: await has('etc/initramfs-tools/modules'),
    ...(grubCommand !== undefined && { grubCommand }),
    ...(initramfsCommand !== undefined && { initramfsCommand }),
    groups: parseGroups((await text('etc/group')) ?? ''),
    libvirtUnits: units,
    ...(helper !== undefined && {
      bridgeHelper: { path: `/${helper}`, isSetuid: ((await stat(join(target, helper))).mode & SETUID) !== 0 },
    }),
  }
}

/** What does not run: in a container, under another init, or where only libvirt was started. */
export async function findAbsentDaemons(target: string): Promise<ReadonlySet<HostDaemon>> {
  const absent = new Set<HostDaemon>()
  for (const [daemon, path] of Object.entries(DAEMON_SIGNS) as [HostDaemon, string][]) {
    await stat(join(target, path)).catch(() => absent.add(daemon))
  }
  return absent
}

function parseGroups(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [name = '', , , members = ''] = line.split(':')
      return name === '' ? [] : [[name, members.split(',').filter(Boolean)] as const]
    }),
  )
}
