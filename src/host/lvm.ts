/**
 * LVM's own tools: what a volume group has left, and logical volumes made, extended and removed. libvirt's pools cannot make
 * thin volumes, so that all are made in one way. Root's alone.
 *
 * Source: lvcreate(8), lvremove(8), lvextend(8), lvmthin(7), lvmconfig(8).
 */
import { VmpkgError } from '../errors.ts'
import type { LvmStorage } from '../model/storage.ts'
import type { Processes } from '../ports.ts'
import {
  type LogicalVolume,
  LV_FIELDS,
  parseLogicalVolumes,
  parseVolumeGroups,
  VG_FIELDS,
  type VolumeGroup,
} from './lvm-report.ts'

type Place = Pick<LvmStorage, 'name' | 'volumeGroup' | 'thinPool'>

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin',
  LC_ALL: 'C.UTF-8',
  LVM_SUPPRESS_FD_WARNINGS: '1',
}
const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o']

export interface LvmPlace {
  readonly group: VolumeGroup
  readonly volumes: readonly LogicalVolume[]
  /** Of `lvm-thin`. */
  readonly pool: LogicalVolume | undefined
}

/** @throws {VmpkgError} `STORAGE_UNAVAILABLE` where the group or the pool is not there, `TOOL_MISSING` */
export async function readLvm(processes: Processes, storage: Place): Promise<LvmPlace> {
  const { name, volumeGroup, thinPool } = storage
  const groups = await lvm(processes, 'vgs', [...REPORT, VG_FIELDS, volumeGroup])
  if (groups.exitCode !== 0) throw unavailable(name, `the volume group ${volumeGroup} cannot be read`, groups.stderr)
  const volumes = await lvm(processes, 'lvs', [...REPORT, LV_FIELDS, volumeGroup])
  if (volumes.exitCode !== 0) throw unavailable(name, `the volumes of ${volumeGroup} cannot be read`, volumes.stderr)
  const [group] = parseVolumeGroups(groups.stdout)
  const all = parseLogicalVolumes(volumes.stdout)
  const pool = thinPool === undefined ? undefined : all.find((one) => one.name === thinPool && one.isThinPool)
  if (group === undefined) throw unavailable(name, `there is no volume group ${volumeGroup}`)
  if (thinPool !== undefined && pool === undefined) {
    throw unavailable(name, `${volumeGroup}/${thinPool} is not a thin pool`)
  }
  return { group, volumes: all, pool }
}

/** With the tags, by which it is told from those of others. @returns the path of the device */
export async function createVolume(
  processes: Processes,
  storage: Place,
  { name, bytes, tags }: { readonly name: string; readonly bytes: number; readonly tags: readonly string[] },
): Promise<string> {
  await change(processes, 'lvcreate', createArguments(storage, { name, bytes, tags }), storage)
  return devicePath(storage, name)
}

/** What the volume held before is not asked about: its first blocks are zeroed, signatures wiped. */
export function createArguments(
  { volumeGroup, thinPool }: Place,
  { name, bytes, tags }: { readonly name: string; readonly bytes: number; readonly tags: readonly string[] },
): readonly string[] {
  const size = `${Math.ceil(bytes / 512) * 512}b`
  return [
    '--yes',
    '--quiet',
    '--name',
    name,
    ...tags.flatMap((tag) => ['--addtag', tag]),
    ...(thinPool === undefined
      ? ['--wipesignatures', 'y', '--zero', 'y', '--size', size]
      : ['--virtualsize', size, '--thinpool', thinPool]),
    volumeGroup,
  ]
}

/** Nothing happens where it is gone. @throws {VmpkgError} `STORAGE_UNAVAILABLE` where it is in use, or the group is gone */
export async function removeVolume(processes: Processes, storage: Place, name: string): Promise<void> {
  const { volumes } = await readLvm(processes, { name: storage.name, volumeGroup: storage.volumeGroup })
  if (!volumes.some((one) => one.name === name)) return
  await change(processes, 'lvremove', ['--yes', '--quiet', `${storage.volumeGroup}/${name}`], storage)
}

/** A size that it has already is no change. */
export async function extendVolume(processes: Processes, storage: Place, name: string, bytes: number): Promise<void> {
  const { volumes } = await readLvm(processes, storage)
  const present = volumes.find((one) => one.name === name)
  if (present === undefined || present.size >= bytes) return
  const size = `${Math.ceil(bytes / 512) * 512}b`
  await change(processes, 'lvextend', ['--quiet', '--size', size, `${storage.volumeGroup}/${name}`], storage)
}

/** Makes volumes of the group usable again; of those that are, nothing changes. */
export async function activateVolumes(processes: Processes, storage: Place, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const paths = names.map((name) => `${storage.volumeGroup}/${name}`)
  await change(processes, 'lvchange', ['--activate', 'y', '--quiet', ...paths], storage)
}

/** How full a thin pool gets before LVM extends it, in percent; 100 where it never does. */
export async function readAutoextend(processes: Processes): Promise<number | undefined> {
  const key = 'activation/thin_pool_autoextend_threshold'
  const { exitCode, stdout } = await lvm(processes, 'lvmconfig', ['--type', 'full', key])
  const [, value] = /^thin_pool_autoextend_threshold=(\d+)/m.exec(stdout) ?? []
  return exitCode === 0 && value !== undefined ? Number(value) : undefined
}

export function devicePath({ volumeGroup }: Pick<Place, 'volumeGroup'>, volume: string): string {
  return `/dev/${volumeGroup}/${volume}`
}

type Tool = 'vgs' | 'lvs' | 'lvcreate' | 'lvremove' | 'lvextend' | 'lvchange' | 'lvmconfig'

async function change(
  processes: Processes,
  tool: Tool,
  args: readonly string[],
  { name, volumeGroup }: Place,
): Promise<void> {
  const { exitCode, stderr } = await lvm(processes, tool, args)
  if (exitCode === 0) return
  if (/insufficient free space|insufficient suitable|free extents|out of (?:data|metadata) space/i.test(stderr)) {
    throw new VmpkgError('NO_SPACE', `The volume group ${volumeGroup} has no room for it: ${lastLine(stderr)}`, {
      hint: `Free some space (vmpkg gc, lvremove), or extend the group: vgextend ${volumeGroup} DEVICE.`,
    })
  }
  throw unavailable(name, `${tool} failed`, stderr)
}

async function lvm(
  processes: Processes,
  tool: Tool,
  args: readonly string[],
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  try {
    return await processes.run(tool, args, { env: ENVIRONMENT })
  } catch (cause) {
    if (!(cause instanceof VmpkgError) || cause.code !== 'TOOL_MISSING') throw cause
    throw new VmpkgError('TOOL_MISSING', `The program ${tool} is not there`, {
      hint: 'Install it with: apt install lvm2 thin-provisioning-tools',
      cause,
    })
  }
}

function lastLine(text: string): string {
  return JSON.stringify(text.trim().split('\n').at(-1)?.trim().slice(-300) ?? '')
}

function unavailable(storage: string, fact: string, words = ''): VmpkgError {
  const said = words.trim() === '' ? '' : `: ${lastLine(words)}`
  return new VmpkgError('STORAGE_UNAVAILABLE', `The storage ${storage} cannot be used: ${fact}${said}`, {
    hint: 'Look what LVM has: vgs; lvs -a. vmpkg storage show tells what is wanted.',
  })
}
