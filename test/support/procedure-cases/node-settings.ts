/** The host's processors, pages, memory and security, and what a connection can translate. */
import assert from 'node:assert/strict'
import type { Exercise } from './exercise.ts'

const CPU = '<cpu><arch>x86_64</arch><model>qemu64</model><vendor>AMD</vendor></cpu>'

export async function comparesProcessors(x: Exercise): Promise<void> {
  await x.tries(x.connect.compareCPU({ xml: CPU }), (result) =>
    assert.ok(['incompatible', 'identical', 'superset'].includes(result)),
  )
  await x.tries(x.connect.baselineCPU({ xmlCPUs: [CPU] }), (xml) => assert.match(xml, /^<cpu/))
  await x.tries(x.connect.domainXMLFromNative({ nativeFormat: 'qemu-argv', nativeConfig: 'qemu' }))
}

export async function hasPagesAndMemory(x: Exercise): Promise<void> {
  for (const connect of x.connections) {
    await x.tries(connect.nodeGetSecurityModel(), ({ model }) => assert.equal(typeof model, 'string'))
    await x.tries(connect.nodeGetFreePages({ pages: [4], startCell: 0 }), ([free]) => assert.ok((free ?? 0n) > 0n))
    // None is added to those that the host has set aside.
    await x.tries(connect.nodeAllocPages({ pageSizes: [2048], pageCounts: [0n], startCell: 0 }), (cells) =>
      assert.equal(typeof cells, 'number'),
    )
  }
  const memory = await x.tries(x.connect.nodeGetMemoryParameters(), (read) => assert.equal(typeof read, 'object'))
  // What was read is written back, so that the host stays as it is.
  const pages = memory?.['shm_pages_to_scan']
  const params = { shm_pages_to_scan: typeof pages === 'number' ? pages : 100 }
  if (memory !== undefined && pages !== undefined) await x.tries(x.connect.nodeSetMemoryParameters({ params }))
  await x.tries(x.connect.nodeGetSEVInfo(), (read) => assert.equal(typeof read, 'object'))
  // Refused, whatever the host can: a second is less than the minute that is asked for at least.
  await x.tries(x.connect.nodeSuspendForDuration({ target: 'memory', duration: 1n }))
}
