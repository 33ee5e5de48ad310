/**
 * A system libvirtd of another Debian release, out of a tree of `libvirt-tree.ts`: it has namespaces of its own for
 * mounts, network, processes, host name and IPC, the tree as its root without a way to write to it, and one folder that
 * both sides see at the same path. Needs root. When this process ends, whichever way, the kernel ends all of it: the
 * first process inside dies with its parent.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT_MS = 20_000

/**
 * `$1` the tree, `$2` the folder, `$3` the host's UUID, `$4` one more folder to see. QEMU must find /dev/kvm open or
 * not at all.
 */
const FIRST = `
set -eu
root=$2/root
mkdir "$root"
mount -n --bind "$1" "$root"
mount -n -o remount,bind,ro "$root"
mount -n -t proc proc "$root/proc"
mount -n -t sysfs sysfs "$root/sys"
mount -n -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty net/tun; do
  : >"$root/dev/$node"
  mount -n --bind "/dev/$node" "$root/dev/$node"
done
mount -n -t devpts -o newinstance,ptmxmode=0666,mode=0600 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for folder in tmp run var/lib/libvirt var/cache/libvirt var/log/libvirt etc/libvirt; do
  mount -n -t tmpfs -o mode=755 tmpfs "$root/$folder"
done
mkdir -p "$root/run/libvirt" "$root/run/lock"
for folder in "$2" "$4"; do
  mkdir -p "$root$folder"
  mount -n --bind "$folder" "$root$folder"
done
ip link set lo up
printf '%s\\n' 'user = "root"' 'group = "root"' 'dynamic_ownership = 0' 'remember_owner = 0' \\
  'security_driver = "none"' 'namespaces = []' 'cgroup_controllers = []' 'stdio_handler = "file"' \\
  >"$root/etc/libvirt/qemu.conf"
printf '%s\\n' "unix_sock_dir = \\"$2\\"" 'unix_sock_group = "root"' 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' \\
  "host_uuid = \\"$3\\"" >"$root/etc/libvirt/libvirtd.conf"
exec chroot "$root" tini -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C libvirtd
`

/** Waits until this process closes the pipe, or is gone, and removes the folder. */
const SWEEP = 'read -r never; sleep 0.3; rm -rf -- "$1"'

export interface TreeHost extends AsyncDisposable {
  /** Seen at the same path inside and outside. */
  readonly folder: string
  readonly socket: string
  /** The process of the namespaces, as this process numbers it. */
  readonly pid: number
}

/** `shared` is another host's folder, which this one sees too. */
export async function startTreeHost(tree: string, hostUuid: string, shared?: string): Promise<TreeHost> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-'))
  await chmod(folder, 0o755)
  const socket = join(folder, 'libvirt-sock')
  const namespaces = ['--mount', '--net', '--pid', '--uts', '--ipc', '--propagation=private']
  const own = ['--fork', '--kill-child', '--', 'sh', '-c', FIRST, 'tree-host', join(tree, 'root'), folder]
  const guarded = ['--pdeathsig=KILL', 'unshare', ...namespaces, ...own, hostUuid, shared ?? folder]
  const child = spawn('setpriv', guarded, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const sweeper = spawn('sh', ['-c', SWEEP, 'sweeper', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  sweeper.unref()
  const stop = async () => {
    await end(child)
    sweeper.ref()
    await end(sweeper) // with `stdin` closed it removes the folder
  }
  try {
    for (const deadline = Date.now() + START_LIMIT_MS; !existsSync(socket); await sleep(20))
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`libvirtd of ${tree} did not start: ${complaint}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { folder, socket, pid: await firstChild(child.pid ?? 0), [Symbol.asyncDispose]: stop }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  if (child.stdin === null) child.kill('SIGKILL')
  else child.stdin.end()
  await ended
}

/** The number, outside, of the first process in the namespaces. */
async function firstChild(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0])
}
