/**
 * Kernel, initial RAM disk and root disk of a Debian 12 machine with a system libvirt and QEMU, for
 * `passthrough-host.ts`: Debian's own kernel (the cloud one lacks drivers of cards), no systemd as first process but a
 * script that does what it would do of modules, settings and devices.
 *
 * They lie in `$XDG_CACHE_HOME/vmpkg-test` (or `~/.cache/vmpkg-test`), about 650 MB, named by a digest of what goes in.
 * Remove the folder at any time, but not while tests run. Needs root. Packages come from the mirror that the machine's
 * own apt configuration names, and are checked by apt against Debian's keyring.
 */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeInitrd } from '../../src/publish/initrd.ts'
import { findKernel, findModuleFiles } from '../../src/publish/kernel-modules.ts'
import { cachedFolder } from './cached-folder.ts'
import { debianSources } from './debian-suites.ts'
import { realProcesses } from './real-processes.ts'

const SUITE = 'bookworm'
const PACKAGES =
  `libvirt-daemon-system libvirt-clients qemu-system-x86 dnsmasq-base nftables iptables iproute2 kmod udev
  pciutils busybox-static procps libstdc++6 qemu-utils xorriso lvm2 thin-provisioning-tools apparmor`.split(/\s+/)
const WITHOUT = ['/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/man/*']
const LIMIT_MS = 1_200_000
const SIZE_MIB = 1200

/** The kernel's package is unpacked only: installing it would make an initial RAM disk that nobody uses. */
const KERNEL = `
set -eu
cd /var/tmp
apt-get -qq download $(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p')
dpkg-deb --fsys-tarfile linux-image*.deb | tar -x -C / --keep-directory-symlink --exclude=*/drivers/gpu \\
  --exclude=*/drivers/media --exclude=*/sound --exclude=*/drivers/net/wireless --exclude=*/drivers/infiniband
rm linux-image*.deb
depmod "$(ls /lib/modules)"
`

/** Commands come on a port of their own, `ID BASE64`, and are answered by `ID STATUS BASE64 BASE64`. */
const INIT = `#!/bin/sh
export PATH=/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
hostname passthrough-host
kmod static-nodes --format=tmpfiles --output=/run/static-nodes.conf
systemd-tmpfiles --create --prefix=/dev /run/static-nodes.conf
ip link set lo up
/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1
udevadm trigger --type=subsystems --action=add
udevadm trigger --type=devices --action=add
/lib/systemd/systemd-modules-load
/lib/systemd/systemd-sysctl
modprobe virtio_console
udevadm settle
mount -o ro /dev/disk/by-id/virtio-payload /opt
virtlogd -d
libvirtd -d
exec 3<>/dev/virtio-ports/org.vmpkg.test
echo ready >&3
while :; do
  read -r id job <&3 && [ -n "$job" ] || { sleep 0.2; continue; }
  printf %s "$job" | base64 -d >/run/job
  (cd /root && sh /run/job) >/run/job.out 2>/run/job.err </dev/null
  echo "$id $? $(base64 -w0 </run/job.out) $(base64 -w0 </run/job.err)" >&3
done
`

/** A reason to skip, or false. */
export const withoutPassthroughHost: string | false =
  process.geteuid?.() !== 0
    ? 'a host with its own kernel is made by root'
    : ['/usr/bin/mmdebstrap', '/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs'].every((path) => existsSync(path))
      ? false
      : 'mmdebstrap, QEMU and mke2fs are not all installed'

export interface PassthroughImage {
  readonly kernel: string
  readonly initrd: string
  /** Raw ext4 without a partition table; never written to. */
  readonly disk: string
}

/** The complete image, made when it is not there. */
export async function passthroughImage(): Promise<PassthroughImage> {
  const content = [SUITE, PACKAGES, WITHOUT, KERNEL, INIT, SIZE_MIB]
  const folder = await cachedFolder('passthrough-image', content, async (unfinished) => {
    const tree = join(unfinished, 'tree')
    await bootstrap(tree)
    await writeFile(join(tree, 'init'), INIT, { mode: 0o755 })
    const tools = { processes: realProcesses, epoch: 1 }
    const kernel = await findKernel(tree)
    const modules = await findModuleFiles(tools, tree, kernel, ['virtio_pci', 'virtio_blk', 'ext4'])
    const work = join(unfinished, 'work')
    await mkdir(work)
    const target = join(unfinished, 'initrd')
    await makeInitrd(tools, { base: tree, busybox: join(tree, 'bin/busybox'), modules, work, target })
    await copyFile(join(tree, kernel.image), join(unfinished, 'vmlinuz'))
    await makeExt4Disk(tree, join(unfinished, 'root.ext4'), SIZE_MIB)
    for (const done of [tree, work]) await rm(done, { recursive: true })
  })
  return { kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd'), disk: join(folder, 'root.ext4') }
}

/** Root's own file system out of a folder, without mounting it. */
export async function makeExt4Disk(folder: string, target: string, sizeMib: number): Promise<void> {
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-d', folder, target, `${sizeMib}M`])
}

async function bootstrap(tree: string): Promise<void> {
  const options = ['--mode=root', '--variant=minbase', `--include=${PACKAGES.join(',')}`, '--skip=output/dev']
  options.push('--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Check-Valid-Until "false"')
  options.push(...WITHOUT.map((path) => `--dpkgopt=path-exclude=${path}`))
  options.push('--customize-hook=chroot "$1" sh -c "$VMPKG_KERNEL"')
  const env = { ...process.env, VMPKG_KERNEL: KERNEL }
  // In namespaces of its own: whatever ends it, no process and no mount of it stays.
  const own = '--mount --propagation=private --pid --fork --kill-child --mount-proc nice mmdebstrap'.split(' ')
  await run('unshare', [...own, ...options, SUITE, tree, ...(await debianSources(SUITE))], env)
}

async function run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<void> {
  const result = await realProcesses.run(program, args, { timeoutMs: LIMIT_MS, ...(env && { env }) })
  if (result.exitCode !== 0) throw new Error(`${program} ${args[0]}: ${result.stderr.slice(-2000)}`)
}
