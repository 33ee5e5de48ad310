/**
 * Where images and state lie: space, rights of libvirt's QEMU user, features of the file system.
 *
 * Source: statfs(2) for the magic numbers; ioctl_ficlone(2) names the file systems that share blocks.
 */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  bad,
  type CheckResult,
  type DoctorHost,
  exists,
  notApplicable,
  ok,
  readQemuUser,
  readText,
} from './doctor-check.ts'
import { findMount } from './mount-of.ts'
import { readFileFacts } from './preflight-files.ts'

const LEAST_FREE_BYTES = 2 * 1024 ** 3

const MAGIC: Readonly<Record<number, readonly [name: string, shares: boolean, isSparse: boolean]>> = {
  0x9123683e: ['btrfs', true, true],
  0x58465342: ['XFS', true, true],
  0xef53: ['ext4', false, true],
  0x01021994: ['tmpfs', false, true],
  0x2fc12fc1: ['ZFS', false, true],
  0x794c7630: ['overlayfs', false, true],
  0x6969: ['NFS', false, true],
  0x4d44: ['FAT', false, false],
}

/** @param isSystem the machines' files are opened by the system libvirt's QEMU user */
export async function checkStorage(
  host: DoctorHost,
  folder: string,
  isSystem: boolean,
): Promise<readonly CheckResult[]> {
  const status = await statfsOfNearest(folder).catch(() => undefined)
  if (status === undefined)
    return [
      bad('unknown', 'storage', 'disk-space', [
        `the file system of ${folder} cannot be asked`,
        'An image may not fit.',
        'Name another place with --root.',
      ]),
    ]
  const { bavail, bsize, type } = status
  const gib = Math.floor((bavail * bsize) / 1024 ** 3)
  const [name, shares, isSparse] = MAGIC[type] ?? [`type 0x${type.toString(16)}`, false, true]
  return [
    bavail * bsize < LEAST_FREE_BYTES
      ? bad('warning', 'storage', 'disk-space', [
          `${gib} GiB are free below ${folder}`,
          'Images take a few hundred MiB each, and guests write more; one that meets a full disk is paused.',
          'Free some space (vmpkg gc), or keep the state elsewhere with --root.',
        ])
      : ok('storage', 'disk-space', `${gib} GiB are free below ${folder}`),
    isSparse
      ? ok(
          'storage',
          'file-system',
          `${name}: ${shares ? 'copies share their blocks' : 'copies are whole, clones are overlays all the same'}`,
        )
      : bad('warning', 'storage', 'file-system', [
          `${name} has no sparse files`,
          'Every image takes its whole virtual size.',
          'Keep the state on ext4, XFS or btrfs with --root.',
        ]),
    await checkDiscard(host, folder),
    await checkRights(host, folder, isSystem),
  ]
}

/** What machines no longer take of a thin disk or an SSD goes back to it by discards: by the mount itself, or by fstrim (leak case J9). */
async function checkDiscard(host: DoctorHost, folder: string): Promise<CheckResult> {
  const mount = findMount(folder, (await readText(host, '/proc/self/mountinfo')) ?? '')
  if (mount === undefined) return notApplicable('storage', 'discard', `where ${folder} is mounted is not known`)
  const { point, device, options } = mount
  const queues = await Promise.all(
    ['queue', '../queue'].map((queue) => readText(host, `/sys/dev/block/${device}/${queue}/discard_max_bytes`)),
  )
  if (!queues.some((bytes) => Number(bytes ?? 0) > 0))
    return notApplicable('storage', 'discard', `the disk below ${point} takes nothing back`)
  if (options.some((option) => /^discard(?:=|$)/.test(option)))
    return ok('storage', 'discard', `${point} is mounted with discard`)
  if (await exists(host, '/etc/systemd/system/timers.target.wants/fstrim.timer'))
    return ok('storage', 'discard', 'fstrim.timer gives free blocks back')
  return bad('warning', 'storage', 'discard', [
    `free blocks of ${point} are never given back to its disk`,
    'On a thin disk they stay taken, with what removed machines wrote in them.',
    'Run: sudo systemctl enable --now fstrim.timer, or mount it with discard.',
  ])
}

async function checkRights(host: DoctorHost, folder: string, isSystem: boolean): Promise<CheckResult> {
  if (!isSystem) return notApplicable('storage', 'store-rights', 'QEMU runs as this user')
  const { user, ids } = await readQemuUser(host)
  if (ids === undefined)
    return bad('unknown', 'storage', 'store-rights', [
      `there is no user ${user}`,
      'As whom libvirt runs QEMU is not known.',
      'Look for user in /etc/libvirt/qemu.conf.',
    ])
  const probe = `${folder}/x`
  const closed = (await readFileFacts([probe], ids, { processes: host.processes })).get(probe)?.closedFolder
  if (closed === undefined) return ok('storage', 'store-rights', `${user} may search every folder above ${folder}`)
  return bad('problem', 'storage', 'store-rights', [
    `${user} may not search ${closed}`,
    'Every start fails with “Permission denied”, whatever the rights of the image itself are.',
    `Run: sudo setfacl -m u:${user}:x ${closed} (or chmod o+x), or keep the state below /var/lib.`,
  ])
}

async function statfsOfNearest(
  folder: string,
): Promise<{ readonly bavail: number; readonly bsize: number; readonly type: number }> {
  try {
    return await statfs(folder)
  } catch (error) {
    if (dirname(folder) === folder) throw error
    return statfsOfNearest(dirname(folder))
  }
}
