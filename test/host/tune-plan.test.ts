import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planTuning } from '../../src/host/tune-plan.ts'
import { makeTuneTree } from '../support/tune-tree.ts'

test('pinned processors keep their frequency, do not sleep deeply, and are spared interrupts', async (t) => {
  const { changes, notes } = await planTuning(await makeTuneTree(t), [2, 3])
  const after = new Map(changes.map((change) => [change.file, change.after]))
  const cpu = (id: number): string => `/sys/devices/system/cpu/cpu${id}`
  assert.deepEqual(Object.fromEntries(after), {
    [`${cpu(2)}/cpufreq/scaling_governor`]: 'performance',
    [`${cpu(2)}/cpufreq/scaling_min_freq`]: '4200000',
    [`${cpu(3)}/cpufreq/scaling_governor`]: 'performance',
    [`${cpu(3)}/cpufreq/scaling_min_freq`]: '4200000',
    [`${cpu(2)}/cpuidle/state2/disable`]: '1',
    [`${cpu(2)}/cpuidle/state3/disable`]: '1',
    [`${cpu(3)}/cpuidle/state2/disable`]: '1',
    [`${cpu(3)}/cpuidle/state3/disable`]: '1',
    '/proc/irq/24/smp_affinity_list': '0-1',
    '/proc/irq/25/smp_affinity_list': '0-1',
    '/sys/kernel/mm/ksm/run': '0',
    '/sys/module/kvm/parameters/halt_poll_ns': '400000',
    '/sys/kernel/mm/transparent_hugepage/enabled': 'madvise',
  })
  assert.match(notes.join(), /irqbalance/)
})

test('without pins neither sleep nor interrupts are touched', async (t) => {
  const { changes } = await planTuning(await makeTuneTree(t), [])
  assert.deepEqual(
    changes.filter(({ file }) => /cpuidle|irq/.test(file)),
    [],
  )
  assert.equal(changes.filter(({ file }) => file.endsWith('scaling_governor')).length, 4)
})

test('a processor that is not online, and pins that leave the host none, are refused', async (t) => {
  const root = await makeTuneTree(t)
  await assert.rejects(planTuning(root, [4]), { code: 'USAGE', message: /4 is not online/ })
  await assert.rejects(planTuning(root, [0, 1, 2, 3]), { code: 'USAGE', message: /none is left/ })
})

test('a host without any of these files has nothing to change', async () => {
  assert.deepEqual((await planTuning('/nowhere', [])).changes, [])
})
