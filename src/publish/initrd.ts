/**
 * The initial RAM disk: busybox, the few modules that make the root device appear, and one script that mounts it and
 * hands over. A sorted cpio with zero inode numbers, owners and fixed times, so that equal inputs give equal bytes.
 */
import { chmod, copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { type BuildTools, runTool } from './build-tool.ts'
import { formatMapVerity } from './map-verity.ts'
import { setTreeTimes } from './tree-times.ts'

/**
 * Reads only the words `root=`, `verity=`, `rootfstype=`, `init=`, `ro` and `rw` of the command line, each checked. With
 * `verity=HASH:BLOCKS` the root's first BLOCKS are data and the rest their hash tree; a `verity=` that makes no sense ends
 * here. A block that is not what was hashed stops the machine: a router that goes on with a part of its programs is
 * nothing that anybody could trust.
 * A module that does not load (an optional one for another processor) is told only when the root cannot be mounted.
 * Leaving it ends in the kernel's panic, which `panic=` on the command line turns into a reboot or a stop.
 */
const INIT = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
failed=
while read -r m; do $b insmod "/modules/$m" 2>/dev/null || failed="$failed $m"; done </modules/order
dev=/dev/vda verity=none type=ext4 mode=ro init=/sbin/init
read -r line </proc/cmdline
for word in $line; do
  case $word in
    root=/dev/vd[a-z]|root=/dev/vd[a-z][0-9]) dev=\${word#root=} ;;
    verity=*) verity=\${word#verity=} ;;
    rootfstype=erofs|rootfstype=ext4) type=\${word#rootfstype=} ;;
    init=/*) init=\${word#init=} ;;
    ro|rw) mode=$word ;;
  esac
done
n=0
until [ -b "$dev" ]; do
  n=$((n + 1))
  [ $n -gt 300 ] && { echo "initrd: $dev did not appear; not loaded:$failed"; exit 1; }
  $b usleep 100000
done
if [ "$verity" != none ]; then
  hash=\${verity%:*} blocks=\${verity##*:}
  case $hash$blocks in *[!0-9a-f]*) echo "initrd: not a root hash: $verity"; exit 1 ;; esac
  /bin/map-verity $((blocks * 8)) "1 $dev $dev 4096 4096 $blocks $blocks sha256 $hash - 1 panic_on_corruption" ||
    { echo "initrd: cannot check $dev by dm-verity; not loaded:$failed"; exit 1; }
  dev=/dev/dm-0
fi
$b mount -t "$type" -o "$mode" "$dev" /root || { echo "initrd: cannot mount $dev as $type; not loaded:$failed"; exit 1; }
$b mount -o move /dev /root/dev
$b umount /proc
$b umount /sys
exec $b switch_root /root "$init"
echo "initrd: no $init on $dev"
exit 1
`

/** Writes `target`. `modules` are files below `base`, in load order; `busybox` is the static binary. */
export async function makeInitrd(
  tools: BuildTools,
  options: {
    readonly base: string
    readonly busybox: string
    readonly modules: readonly string[]
    /** Whether it can check the root while it is read; `dm-verity` is among the modules then. */
    readonly hasVerity?: boolean
    readonly work: string
    readonly target: string
  },
): Promise<void> {
  const root = join(options.work, 'initrd')
  for (const folder of ['', 'bin', 'dev', 'modules', 'proc', 'root', 'sys']) {
    await mkdir(join(root, folder))
    await chmod(join(root, folder), 0o755)
  }
  await copyFile(options.busybox, join(root, 'bin/busybox'))
  await chmod(join(root, 'bin/busybox'), 0o755)
  if (options.hasVerity === true) {
    await writeFile(join(root, 'bin/map-verity'), formatMapVerity())
    await chmod(join(root, 'bin/map-verity'), 0o755)
  }
  for (const module of options.modules) {
    await copyFile(join(options.base, module), join(root, 'modules', basename(module)))
    await chmod(join(root, 'modules', basename(module)), 0o644)
  }
  await writeFile(join(root, 'modules/order'), options.modules.map((module) => `${basename(module)}\n`).join(''))
  await chmod(join(root, 'modules/order'), 0o644)
  await writeFile(join(root, 'init'), INIT)
  await chmod(join(root, 'init'), 0o755)
  await setTreeTimes(root, tools.epoch)
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const names = entries.map((entry) => relative(root, join(entry.parentPath, entry.name))).toSorted()
  const archive = join(options.work, 'initrd.cpio')
  const args = ['--create', '--format=newc', '--reproducible', '--owner=+0:+0', '--quiet', `--file=${archive}`]
  await runTool(tools, 'cpio', args, { cwd: root, input: `${names.join('\n')}\n` })
  await runTool(tools, 'zstd', ['-q', '-19', '--no-progress', '-T1', '-f', '-o', options.target, archive])
  await rm(archive)
}
