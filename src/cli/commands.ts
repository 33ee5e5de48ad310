/**
 * The command table: names, groups and summaries for the overview; each command's own file is loaded only when it runs,
 * so that `vmpkg list` starts about as fast as Node itself.
 */
import type { CommandSpec } from './command.ts'

export const GROUPS = ['Packages', 'Trust', 'Machines', 'Host', 'Publishing'] as const

export interface CommandEntry {
  readonly name: string
  readonly group: (typeof GROUPS)[number]
  readonly summary: string
  readonly load: () => Promise<CommandSpec>
}

type Module = Readonly<Record<'command', CommandSpec>>

function entry(group: CommandEntry['group'], name: string, summary: string, load: () => Promise<Module>): CommandEntry {
  return { name, group, summary, load: async () => (await load()).command }
}

export const COMMANDS: readonly CommandEntry[] = [
  entry(
    'Packages',
    'update',
    'fetch and verify the package lists of all sources',
    () => import('./commands/update.ts'),
  ),
  entry('Packages', 'search', 'find packages by words', () => import('./commands/search.ts')),
  entry('Packages', 'show', 'everything known about a package', () => import('./commands/show.ts')),
  entry('Packages', 'list', 'list packages', () => import('./commands/list.ts')),
  entry('Packages', 'policy', 'which version is the candidate, and why', () => import('./commands/policy.ts')),
  entry('Packages', 'depends', 'what a package depends on', () => import('./commands/depends.ts')),
  entry('Packages', 'rdepends', 'what depends on a package', () => import('./commands/rdepends.ts')),
  entry('Packages', 'why', 'why a package is installed', () => import('./commands/why.ts')),
  entry('Packages', 'why-not', 'why a package cannot be installed', () => import('./commands/why-not.ts')),
  entry('Packages', 'pin set', 'prefer or forbid versions of a package', () => import('./commands/pin-set.ts')),
  entry('Packages', 'pin list', 'list the pins', () => import('./commands/pin-list.ts')),
  entry('Packages', 'pin remove', 'remove the pins of a package', () => import('./commands/pin-remove.ts')),
  entry('Packages', 'channel follow', 'take versions of a channel', () => import('./commands/channel-follow.ts')),
  entry(
    'Packages',
    'channel unfollow',
    'stop taking versions of a channel',
    () => import('./commands/channel-unfollow.ts'),
  ),
  entry('Packages', 'channel list', 'list the channels followed', () => import('./commands/channel-list.ts')),
  entry(
    'Packages',
    'install',
    'install packages, define and start what they bring',
    () => import('./commands/install.ts'),
  ),
  entry(
    'Packages',
    'download',
    'fetch packages into the store, install nothing',
    () => import('./commands/download.ts'),
  ),
  entry('Packages', 'upgrade', 'upgrade installed packages', () => import('./commands/upgrade.ts')),
  entry('Packages', 'remove', 'remove packages and the machines they brought', () => import('./commands/remove.ts')),
  entry('Packages', 'purge', 'remove packages and the values set for them', () => import('./commands/purge.ts')),
  entry('Packages', 'autoremove', 'remove what nothing needs any more', () => import('./commands/autoremove.ts')),
  entry('Packages', 'mark', 'mark packages as automatic or manual', () => import('./commands/mark.ts')),
  entry('Packages', 'hold', 'keep packages in their version', () => import('./commands/hold.ts')),
  entry('Packages', 'unhold', 'let held packages change again', () => import('./commands/unhold.ts')),
  entry('Packages', 'history', 'list what was done here', () => import('./commands/history.ts')),
  entry('Packages', 'history show', 'what one entry changed', () => import('./commands/history-show.ts')),
  entry('Packages', 'history undo', 'take one entry back', () => import('./commands/history-undo.ts')),
  entry('Packages', 'history redo', 'do one entry again', () => import('./commands/history-redo.ts')),
  entry(
    'Packages',
    'history rollback',
    'go back to the state after one entry',
    () => import('./commands/history-rollback.ts'),
  ),
  entry('Packages', 'clean', 'free what can be had again', () => import('./commands/clean.ts')),
  entry('Packages', 'quota', 'how much disk the store may take', () => import('./commands/quota.ts')),
  entry(
    'Packages',
    'verify',
    'check installed files and images against signed ones',
    () => import('./commands/verify.ts'),
  ),
  entry('Packages', 'import', 'make a package from a disk image of your own', () => import('./commands/import.ts')),
  entry('Packages', 'image info', 'what a disk image is', () => import('./commands/image-info.ts')),
  entry('Packages', 'image check', 'check a disk image', () => import('./commands/image-check.ts')),
  entry(
    'Packages',
    'image convert',
    'write a disk image in another format',
    () => import('./commands/image-convert.ts'),
  ),
  entry('Packages', 'image resize', 'give a disk another size', () => import('./commands/image-resize.ts')),
  entry(
    'Packages',
    'image compact',
    'free what a disk image takes for nothing',
    () => import('./commands/image-compact.ts'),
  ),
  entry(
    'Packages',
    'upstream list',
    'vendors whose images can be verified',
    () => import('./commands/upstream-list.ts'),
  ),
  entry(
    'Packages',
    'upstream fetch',
    'fetch and verify a vendor’s image',
    () => import('./commands/upstream-fetch.ts'),
  ),
  entry(
    'Packages',
    'bundle export',
    'write packages with their proofs into one file',
    () => import('./commands/bundle-export.ts'),
  ),
  entry(
    'Packages',
    'bundle import',
    'take in a bundle, without a network',
    () => import('./commands/bundle-import.ts'),
  ),
  entry('Packages', 'bundle show', 'what a bundle says it holds', () => import('./commands/bundle-show.ts')),
  entry('Trust', 'source add', 'trust a registry', () => import('./commands/source-add.ts')),
  entry('Trust', 'source list', 'the registries this host trusts', () => import('./commands/source-list.ts')),
  entry(
    'Trust',
    'source show',
    'keys, roles and seen versions of a registry',
    () => import('./commands/source-show.ts'),
  ),
  entry('Trust', 'source set', 'change how a registry is used', () => import('./commands/source-set.ts')),
  entry(
    'Trust',
    'source evidence',
    'what registries contradicted themselves with',
    () => import('./commands/source-evidence.ts'),
  ),
  entry('Trust', 'source remove', 'stop trusting a registry', () => import('./commands/source-remove.ts')),
  entry('Machines', 'render', 'print the XML that would be defined, and why', () => import('./commands/render.ts')),
  entry('Machines', 'clone', 'make a disposable machine from an app package', () => import('./commands/clone.ts')),
  entry('Machines', 'run', 'open an app in a machine that ends with it', () => import('./commands/run.ts')),
  entry('Machines', 'pool set', 'keep machines booted, to be taken', () => import('./commands/pool-set.ts')),
  entry('Machines', 'pool list', 'what waits in pools', () => import('./commands/pool-list.ts')),
  entry('Machines', 'pool fill', 'make what is missing in pools', () => import('./commands/pool-fill.ts')),
  entry('Machines', 'pool drop', 'give pools up', () => import('./commands/pool-drop.ts')),
  entry('Machines', 'start', 'start machines', () => import('./commands/start.ts')),
  entry('Machines', 'stop', 'stop machines', () => import('./commands/stop.ts')),
  entry('Machines', 'seal', 'make a package from a stopped clone', () => import('./commands/seal.ts')),
  entry('Machines', 'rm', 'remove clones', () => import('./commands/rm.ts')),
  entry('Machines', 'edit', 'edit the definition of a machine', () => import('./commands/edit.ts')),
  entry('Machines', 'rename', 'give a clone another name', () => import('./commands/rename.ts')),
  entry('Machines', 'ps', 'list machines', () => import('./commands/ps.ts')),
  entry('Machines', 'status', 'state, addresses and attestation of machines', () => import('./commands/status.ts')),
  entry('Machines', 'set autostart', 'start a machine with the host', () => import('./commands/set-autostart.ts')),
  entry('Machines', 'set memory', 'how much memory a machine has', () => import('./commands/set-memory.ts')),
  entry('Machines', 'set vcpus', 'how many processors a machine has', () => import('./commands/set-vcpus.ts')),
  entry('Machines', 'set cpu-limit', 'how much processor time it may use', () => import('./commands/set-cpu-limit.ts')),
  entry('Machines', 'set disk', 'size and limits of a disk', () => import('./commands/set-disk.ts')),
  entry('Machines', 'supervise', 'watch over routers', () => import('./commands/supervise.ts')),
  entry('Machines', 'backup', 'back machines up into a folder', () => import('./commands/backup.ts')),
  entry('Machines', 'backup list', 'list the backups in a folder', () => import('./commands/backup-list.ts')),
  entry('Machines', 'backup verify', 'read backups and compare', () => import('./commands/backup-verify.ts')),
  entry('Machines', 'backup prune', 'remove all but the newest backups', () => import('./commands/backup-prune.ts')),
  entry('Machines', 'data list', 'list disks that outlive their machines', () => import('./commands/data-list.ts')),
  entry('Machines', 'data attach', 'give a data disk to another machine', () => import('./commands/data-attach.ts')),
  entry('Machines', 'data detach', 'take it from there again', () => import('./commands/data-detach.ts')),
  entry('Machines', 'data rm', 'remove data disks for good', () => import('./commands/data-rm.ts')),
  entry('Machines', 'storage add', 'name a place for disks of machines', () => import('./commands/storage-add.ts')),
  entry(
    'Machines',
    'storage list',
    'places for disks, and how full they are',
    () => import('./commands/storage-list.ts'),
  ),
  entry('Machines', 'storage show', 'everything about a place for disks', () => import('./commands/storage-show.ts')),
  entry(
    'Machines',
    'storage default',
    'where disks go if nothing is said',
    () => import('./commands/storage-default.ts'),
  ),
  entry('Machines', 'storage unlock', 'open an encrypted storage', () => import('./commands/storage-unlock.ts')),
  entry('Machines', 'storage lock', 'close an encrypted storage', () => import('./commands/storage-lock.ts')),
  entry('Machines', 'storage remove', 'forget a place for disks', () => import('./commands/storage-remove.ts')),
  entry('Machines', 'restore', 'bring a machine back from a backup', () => import('./commands/restore.ts')),
  entry('Machines', 'ip', 'the addresses of a machine', () => import('./commands/ip.ts')),
  entry('Machines', 'wait', 'wait until machines are ready', () => import('./commands/wait.ts')),
  entry('Machines', 'exec', 'run a program in a machine', () => import('./commands/exec.ts')),
  entry('Machines', 'ssh', 'log in to a machine', () => import('./commands/ssh.ts')),
  entry('Machines', 'ssh-config', 'settings for ssh, scp, sftp, rsync', () => import('./commands/ssh-config.ts')),
  entry('Machines', 'cp', 'copy files into and out of machines', () => import('./commands/cp.ts')),
  entry('Machines', 'console', 'open the serial console of a machine', () => import('./commands/console.ts')),
  entry('Machines', 'screenshot', 'save a picture of a machine’s screen', () => import('./commands/screenshot.ts')),
  entry('Machines', 'logs', 'print the serial log of a machine', () => import('./commands/logs.ts')),
  entry('Machines', 'snapshot create', 'take a snapshot of a machine', () => import('./commands/snapshot-create.ts')),
  entry('Machines', 'snapshot list', 'list the snapshots of machines', () => import('./commands/snapshot-list.ts')),
  entry('Machines', 'snapshot show', 'everything about a snapshot', () => import('./commands/snapshot-show.ts')),
  entry(
    'Machines',
    'snapshot revert',
    'put a machine back to a snapshot',
    () => import('./commands/snapshot-revert.ts'),
  ),
  entry('Machines', 'snapshot delete', 'delete snapshots', () => import('./commands/snapshot-delete.ts')),
  entry(
    'Machines',
    'snapshot prune',
    'delete what schedules keep no longer',
    () => import('./commands/snapshot-prune.ts'),
  ),
  entry(
    'Machines',
    'snapshot schedule set',
    'take snapshots again and again',
    () => import('./commands/snapshot-schedule-set.ts'),
  ),
  entry(
    'Machines',
    'snapshot schedule list',
    'list the schedules of snapshots',
    () => import('./commands/snapshot-schedule-list.ts'),
  ),
  entry(
    'Machines',
    'snapshot schedule remove',
    'end the schedule of a machine',
    () => import('./commands/snapshot-schedule-remove.ts'),
  ),
  entry('Machines', 'file history', 'versions of a file in a machine', () => import('./commands/file-history.ts')),
  entry('Machines', 'file get', 'bring back a file as it was', () => import('./commands/file-get.ts')),
  entry('Machines', 'file diff', 'what changed in a file of a machine', () => import('./commands/file-diff.ts')),
  entry('Machines', 'file list', 'list a folder of a machine as it was', () => import('./commands/file-list.ts')),
  entry('Machines', 'gc', 'remove what dead commands and stopped clones left', () => import('./commands/gc.ts')),
  entry(
    'Machines',
    'net list',
    'list the networks of routers, and who is on them',
    () => import('./commands/net-list.ts'),
  ),
  entry('Machines', 'net graph', 'draw who is behind whom', () => import('./commands/net-graph.ts')),
  entry(
    'Machines',
    'router export',
    'write a router’s policy as files of Shorewall',
    () => import('./commands/router-export.ts'),
  ),
  entry('Machines', 'net move', 'put a machine on another router’s LAN', () => import('./commands/net-move.ts')),
  entry('Machines', 'why-can', 'who reaches whom, hop by hop, and why', () => import('./commands/why-can.ts')),
  entry(
    'Machines',
    'port-forward add',
    'let a port outside lead to a machine',
    () => import('./commands/port-forward-add.ts'),
  ),
  entry(
    'Machines',
    'port-forward list',
    'list the ports that lead to machines',
    () => import('./commands/port-forward-list.ts'),
  ),
  entry(
    'Machines',
    'port-forward remove',
    'let no port lead to a machine any more',
    () => import('./commands/port-forward-remove.ts'),
  ),
  entry(
    'Machines',
    'router panic',
    'cut routers off at once, until it is lifted',
    () => import('./commands/router-panic.ts'),
  ),
  entry(
    'Machines',
    'router newnym',
    'new Tor circuits for the clients of a router',
    () => import('./commands/router-newnym.ts'),
  ),
  entry(
    'Machines',
    'router vpn list',
    'list the VPN profiles of routers',
    () => import('./commands/router-vpn-list.ts'),
  ),
  entry('Machines', 'router vpn add', 'keep VPN profiles for a router', () => import('./commands/router-vpn-add.ts')),
  entry('Machines', 'router vpn use', 'switch a router to another VPN', () => import('./commands/router-vpn-use.ts')),
  entry('Machines', 'router vpn remove', 'forget a VPN profile', () => import('./commands/router-vpn-remove.ts')),
  entry(
    'Machines',
    'vpn-server init',
    'let people outside reach machines by VPN',
    () => import('./commands/vpn-server-init.ts'),
  ),
  entry(
    'Machines',
    'vpn-server add-client',
    'make the file of a VPN client',
    () => import('./commands/vpn-server-add-client.ts'),
  ),
  entry(
    'Machines',
    'vpn-server set-client',
    'choose what a VPN client reaches',
    () => import('./commands/vpn-server-set-client.ts'),
  ),
  entry(
    'Machines',
    'vpn-server remove-client',
    'let a VPN client in no more',
    () => import('./commands/vpn-server-remove-client.ts'),
  ),
  entry(
    'Machines',
    'vpn-server list',
    'list VPN clients and what they reach',
    () => import('./commands/vpn-server-list.ts'),
  ),
  entry(
    'Machines',
    'vpn-server remove',
    'end the VPN server of a router',
    () => import('./commands/vpn-server-remove.ts'),
  ),
  entry('Machines', 'vpn check', 'what a router makes of VPN profiles', () => import('./commands/vpn-check.ts')),
  entry(
    'Host',
    'host private start',
    'start a private libvirt in namespaces',
    () => import('./commands/host-private-start.ts'),
  ),
  entry(
    'Host',
    'host private stop',
    'stop a private libvirt and all its machines',
    () => import('./commands/host-private-stop.ts'),
  ),
  entry(
    'Host',
    'host private status',
    'list private hosts and how to look inside',
    () => import('./commands/host-private-status.ts'),
  ),
  entry(
    'Host',
    'host private shell',
    'run a program inside a private host',
    () => import('./commands/host-private-shell.ts'),
  ),
  entry('Host', 'doctor', 'check this host and say what to mend', () => import('./commands/doctor.ts')),
  entry(
    'Host',
    'doctor explain',
    'name the known errors in a text, with their fixes',
    () => import('./commands/doctor-explain.ts'),
  ),
  entry('Host', 'tune plan', 'show what would make guests steadier', () => import('./commands/tune-plan.ts')),
  entry('Host', 'tune apply', 'make guests steadier until the next boot', () => import('./commands/tune-apply.ts')),
  entry('Host', 'tune undo', 'write back what tune apply changed', () => import('./commands/tune-undo.ts')),
  entry('Host', 'devices', 'list the devices a guest can have', () => import('./commands/devices.ts')),
  entry('Host', 'devices show', 'everything about a PCI device', () => import('./commands/devices-show.ts')),
  entry('Host', 'host plan', 'show what this host needs for devices', () => import('./commands/host-plan.ts')),
  entry('Host', 'host apply', 'prepare this host for devices in guests', () => import('./commands/host-apply.ts')),
  entry('Host', 'host undo', 'take back what host apply changed', () => import('./commands/host-undo.ts')),
  entry('Host', 'host bind', 'give PCI devices to vfio-pci now', () => import('./commands/host-bind.ts')),
  entry('Host', 'host unbind', 'give PCI devices back to their drivers', () => import('./commands/host-unbind.ts')),
  entry(
    'Host',
    'host topology',
    'processors, caches, NUMA nodes, and who has them',
    () => import('./commands/host-topology.ts'),
  ),
  entry('Host', 'host place', 'where a machine would go, and why', () => import('./commands/host-place.ts')),
  entry(
    'Host',
    'host hugepages',
    'huge pages: free, taken, reserved by vmpkg',
    () => import('./commands/host-hugepages.ts'),
  ),
  entry(
    'Host',
    'host hugepages reserve',
    'reserve huge pages, all that are asked for or none',
    () => import('./commands/host-hugepages-reserve.ts'),
  ),
  entry(
    'Host',
    'host hugepages release',
    'give reserved huge pages back',
    () => import('./commands/host-hugepages-release.ts'),
  ),
  entry('Publishing', 'key generate', 'make an OpenPGP signing key', () => import('./commands/key-generate.ts')),
  entry('Publishing', 'new', 'begin a package of your own', () => import('./commands/new.ts')),
  entry('Publishing', 'schema', 'print JSON Schemas for editors', () => import('./commands/schema.ts')),
  entry('Publishing', 'lint', 'look for mistakes in packages', () => import('./commands/lint.ts')),
  entry('Publishing', 'build', 'build the images of a template', () => import('./commands/build.ts')),
  entry(
    'Publishing',
    'repo init',
    'make a registry: root, roles, empty index',
    () => import('./commands/repo-init.ts'),
  ),
  entry('Publishing', 'repo add', 'add built packages to a registry', () => import('./commands/repo-add.ts')),
  entry('Publishing', 'repo resign', 'renew the envelope of a registry', () => import('./commands/repo-resign.ts')),
  entry('Publishing', 'repo merge', 'take in signed submissions', () => import('./commands/repo-merge.ts')),
  entry('Publishing', 'repo push', 'copy a registry to where it is served', () => import('./commands/repo-push.ts')),
  entry('Publishing', 'repo promote', 'put a version into a channel', () => import('./commands/repo-promote.ts')),
  entry('Publishing', 'repo yank', 'withdraw a version', () => import('./commands/repo-yank.ts')),
  entry('Publishing', 'repo snapshot', 'keep a registry as it is now', () => import('./commands/repo-snapshot.ts')),
  entry(
    'Publishing',
    'repo snapshot list',
    'list the snapshots of a registry',
    () => import('./commands/repo-snapshot-list.ts'),
  ),
  entry(
    'Publishing',
    'repo snapshot remove',
    'let go of a snapshot',
    () => import('./commands/repo-snapshot-remove.ts'),
  ),
  entry('Publishing', 'repo gc', 'remove files that nobody needs', () => import('./commands/repo-gc.ts')),
  entry(
    'Publishing',
    'repo verify',
    'check a registry as its clients would',
    () => import('./commands/repo-verify.ts'),
  ),
  entry('Publishing', 'repo diff', 'compare registries', () => import('./commands/repo-diff.ts')),
  entry('Publishing', 'repo mirror', 'keep a verified copy of a registry', () => import('./commands/repo-mirror.ts')),
  entry('Publishing', 'repo rotate-key', 'change the keys of a role', () => import('./commands/repo-rotate-key.ts')),
  entry('Publishing', 'repo sign-root', 'sign the draft of a root file', () => import('./commands/repo-sign-root.ts')),
  entry('Publishing', 'repo serve', 'serve a registry over HTTP for a try', () => import('./commands/repo-serve.ts')),
  entry(
    'Publishing',
    'publish',
    'build, sign and submit packages to a registry',
    () => import('./commands/publish.ts'),
  ),
]

/** The longest command name that the words begin with. */
export function findCommand(words: readonly string[]): { entry: CommandEntry; rest: readonly string[] } | undefined {
  for (let count = 3; count > 0; count--) {
    const name = words.slice(0, count).join(' ')
    const found = COMMANDS.find((candidate) => candidate.name === name)
    if (found !== undefined && words.length >= count) return { entry: found, rest: words.slice(count) }
  }
  return undefined
}

/** The nearest command name by edit distance, when near enough to be a slip. */
export function suggestCommand(words: readonly string[]): string | undefined {
  const text = words.filter((word) => !word.startsWith('-')).join(' ')
  const scored = COMMANDS.map(({ name }) => {
    const typed = text.split(' ').slice(0, name.split(' ').length).join(' ')
    return { name, distance: name.startsWith(`${text} `) ? 0 : editDistance(typed, name) }
  })
  const [best] = scored.toSorted((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= 2 ? best.name : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= Math.min(a.length, 40); i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution))
    }
    row = next
  }
  return row[b.length] ?? b.length
}
