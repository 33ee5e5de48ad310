/** The part of /sys and /proc that tune reads and writes, of a host with four processors. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeTempFolder } from './temp-folder.ts'

const perCpu = (cpu: number): Readonly<Record<string, string>> => {
  const folder = `/sys/devices/system/cpu/cpu${cpu}`
  return {
    [`${folder}/cpufreq/scaling_governor`]: 'powersave',
    [`${folder}/cpufreq/scaling_available_governors`]: 'performance powersave',
    [`${folder}/cpufreq/scaling_min_freq`]: '800000',
    [`${folder}/cpufreq/scaling_max_freq`]: '4200000',
    ...Object.fromEntries(
      [
        ['POLL', 0],
        ['C1', 2],
        ['C1E', 10],
        ['C6', 133],
      ].flatMap(([name, latency], state) => [
        [`${folder}/cpuidle/state${state}/name`, String(name)],
        [`${folder}/cpuidle/state${state}/latency`, String(latency)],
        [`${folder}/cpuidle/state${state}/disable`, '0'],
      ]),
    ),
  }
}

const HOST: Readonly<Record<string, string>> = {
  '/sys/devices/system/cpu/online': '0-3',
  ...Object.fromEntries([0, 1, 2, 3].flatMap((cpu) => Object.entries(perCpu(cpu)))),
  '/sys/kernel/mm/ksm/run': '1',
  '/sys/module/kvm/parameters/halt_poll_ns': '200000',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always madvise [never]',
  '/proc/irq/24/smp_affinity_list': '0-3',
  '/proc/irq/25/smp_affinity_list': '2',
  '/proc/irq/26/smp_affinity_list': '0',
  '/proc/812/comm': 'irqbalance',
}

export async function makeTuneTree(t: Pick<TestContext, 'after'>): Promise<string> {
  const root = await makeTempFolder(t)
  for (const [path, text] of Object.entries(HOST)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), `${text}\n`)
  }
  return root
}

/** All files with their bytes, to compare with. */
export async function readTree(root: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(
      files.toSorted().map(async (path) => [path.slice(root.length), await readFile(path, 'utf8')] as const),
    ),
  )
}
