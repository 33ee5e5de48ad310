import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lintPins } from '../../src/host/pin-lint.ts'
import { madeHost } from '../support/made-host.ts'

const host = { ...madeHost({ nodes: 1, coresPerNode: 8, threads: 1 }), isolated: [2, 3, 4, 5, 6, 7] }
const pin = (vcpu: number, ...cpus: number[]) => ({ vcpu, cpus })

describe('lintPins', () => {
  test('finds nothing in pins that are right, and nothing where there are none', () => {
    assert.deepEqual(lintPins(host, 2, [pin(0, 2), pin(1, 3)]), [])
    assert.deepEqual(lintPins(host, 2, []), [])
  })

  test('finds the vCPU that the list of the source left out: 0 to 2, 1 to 3, 2 to 4, 3 to 5, 5 to 6', () => {
    const pins = [pin(0, 2), pin(1, 3), pin(2, 4), pin(3, 5), pin(5, 6)]
    assert.deepEqual(lintPins(host, 6, pins), [{ severity: 'error', message: 'vCPU 4 is not pinned, the others are.' }])
  })

  test('finds vCPUs pinned twice or not there, CPUs not there, offline or closed, shared or not isolated', () => {
    const odd = { ...host, offline: [8], allowed: [0, 1, 2, 3, 4, 5, 6] }
    const found = lintPins(odd, 2, [pin(0, 9), pin(0, 8), pin(1, 1), pin(5, 1), pin(1, 7)])
    assert.deepEqual(
      found.map(({ severity, message }) => `${severity}: ${message}`),
      [
        'error: vCPU 0-1 is pinned twice.',
        'error: vCPU 5 is pinned, and the machine has only 2.',
        'error: The host has no CPU 9.',
        'error: CPU 8 is offline.',
        'error: CPU 7 is closed to machines by a cgroup or an affinity.',
        'warning: CPU 1 has more than one vCPU.',
        'warning: CPU 1 is not isolated (isolcpus): other programs run there too.',
      ],
    )
  })
})
