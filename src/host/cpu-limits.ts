/**
 * Which CPUs, and how much of their time, a process may use: its affinity, and the cpuset and quota of its cgroup and of
 * all above it, in either version of cgroups.
 *
 * Sources: Linux Documentation/admin-guide/cgroup-v2.rst (`cpuset.cpus.effective`, `cpu.max`),
 * cgroup-v1/cpusets.rst (`cpuset.effective_cpus`, `cpuset.cpus`), scheduler/sched-bwc.rst (`cpu.cfs_quota_us`);
 * proc(5): `status`, `cgroup`, `mountinfo`.
 */
import { posix } from 'node:path'
import { parseCpuSet } from '../model/cpu-set.ts'
import { type HostRoots, readCpuList, readInteger, readText } from './kernel-files.ts'

export interface CpuLimits {
  /** Absent where nothing limits it. */
  readonly allowed?: readonly number[]
  /** CPUs' worth of time. */
  readonly quotaCpus?: number
}

/** Limits of this process, and so of a libvirt of our own. */
export function readOwnLimits(roots: HostRoots): CpuLimits {
  const affinity = parseAffinity(readText(`${roots.procfs}/self/status`) ?? '')
  const groups = findCgroups(roots)
  const sets = groups.map((folders) => firstCpuSet(folders)).filter((cpus) => cpus !== undefined)
  const lists = affinity === undefined ? sets : [affinity, ...sets]
  const allowed = lists.reduce<readonly number[] | undefined>(
    (common, cpus) => (common === undefined ? cpus : common.filter((cpu) => cpus.includes(cpu))),
    undefined,
  )
  return limits(allowed, leastQuota(groups.flat()))
}

/**
 * Limits of the machines of the system's libvirt, which systemd keeps in `machine.slice`. What limits our own shell says
 * nothing about them: to keep shells off the machines' CPUs is common (`systemctl set-property user.slice AllowedCPUs=`).
 */
export function readMachineSliceLimits(roots: HostRoots): CpuLimits {
  const v2 = [`${roots.sysfs}/fs/cgroup/machine.slice`, `${roots.sysfs}/fs/cgroup`]
  const v1 = [`${roots.sysfs}/fs/cgroup/cpuset/machine.slice`, `${roots.sysfs}/fs/cgroup/cpuset`]
  return limits(firstCpuSet(v2) ?? firstCpuSet(v1), leastQuota([...v2, `${roots.sysfs}/fs/cgroup/cpu/machine.slice`]))
}

function limits(allowed: readonly number[] | undefined, quotaCpus: number | undefined): CpuLimits {
  return { ...(allowed === undefined ? {} : { allowed }), ...(quotaCpus === undefined ? {} : { quotaCpus }) }
}

function parseAffinity(status: string): number[] | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1]
  return list === undefined ? undefined : parseCpuSet(list)
}

/** For each hierarchy the process's folder and those above it, the nearest first. */
function findCgroups({ sysfs, procfs }: HostRoots): string[][] {
  const mounts = parseMounts(readText(`${procfs}/self/mountinfo`) ?? '')
  const lines = (readText(`${procfs}/self/cgroup`) ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) return []
    const mount = mounts.find((candidate) =>
      controllers === '' ? candidate.controllers === undefined : candidate.controllers?.includes(controllers),
    )
    if (mount === undefined || !mount.point.startsWith('/sys/')) return []
    // In a container the mount's root is the container's own group; a path outside of it cannot be seen.
    const below = path === mount.root ? '/' : path.startsWith(mount.root) ? path.slice(mount.root.length) : path
    const top = posix.join(sysfs, mount.point.slice('/sys'.length))
    const folders = [posix.join(top, posix.normalize(`/${below}`))]
    for (let folder = folders[0] ?? top; folder.length > top.length; ) {
      folder = posix.dirname(folder)
      folders.push(folder)
    }
    return [folders]
  })
}

interface CgroupMount {
  readonly root: string
  readonly point: string
  /** `cpu,cpuacct`; absent for version 2. */
  readonly controllers?: string
}

function parseMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ')
    const [, , , root, point] = left.split(' ')
    const [type, , options = ''] = right.split(' ')
    if (root === undefined || point === undefined) return []
    if (type === 'cgroup2') return [{ root, point }]
    if (type !== 'cgroup') return []
    const controllers = options.split(',').filter((option) => option !== 'rw' && option !== 'ro')
    return [{ root, point, controllers: controllers.join(',') }]
  })
}

function firstCpuSet(folders: readonly string[]): number[] | undefined {
  for (const folder of folders) {
    for (const name of ['cpuset.cpus.effective', 'cpuset.effective_cpus', 'cpuset.cpus']) {
      const cpus = readCpuList(`${folder}/${name}`)
      if (cpus !== undefined && cpus.length > 0) return cpus
    }
  }
  return undefined
}

function leastQuota(folders: readonly string[]): number | undefined {
  const quotas = folders.flatMap((folder) => {
    const [max, period] = (readText(`${folder}/cpu.max`) ?? '').split(' ').map(Number)
    if (max !== undefined && period !== undefined && max > 0 && period > 0) return [max / period]
    const quota = readInteger(`${folder}/cpu.cfs_quota_us`) ?? -1
    const cfsPeriod = readInteger(`${folder}/cpu.cfs_period_us`) ?? 0
    return quota > 0 && cfsPeriod > 0 ? [quota / cfsPeriod] : []
  })
  return quotas.length === 0 ? undefined : Math.min(...quotas)
}
