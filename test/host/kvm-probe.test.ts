import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { probeKvm, runProbeGuest } from '../../src/host/kvm-probe.ts'
import { findTool } from '../../src/host/tools.ts'
import type { Processes } from '../../src/ports.ts'
import { realProcesses } from '../support/real-processes.ts'

const qemu = (await findTool('qemu-system-x86_64')) ?? ''

describe('runProbeGuest', { skip: qemu === '' && 'QEMU missing' }, () => {
  test('runs to its end where guests run', async () => {
    const options = { qemu, accelerator: 'tcg', cpu: 'max', processes: realProcesses } as const
    assert.deepEqual(await runProbeGuest(options), { usable: true, reason: 'a probe guest ran to its end' })
  })

  test('tells what QEMU complains about', async () => {
    const options = { qemu, accelerator: 'tcg', cpu: 'no-such-model', processes: realProcesses } as const
    const verdict = await runProbeGuest(options)
    assert.equal(verdict.usable, false)
    assert.match(verdict.reason, /no-such-model/)
  })
})

describe('probeKvm', () => {
  let dir: string
  let device: string
  let program: string
  let runs = 0
  const counting: Processes = {
    run(...args) {
      runs += 1
      return realProcesses.run(...args)
    },
  }
  const probe = () => probeKvm({ qemu: program, device, cacheDir: join(dir, 'cache'), processes: counting })
  const become = async (script: string): Promise<void> => {
    await writeFile(program, `#!/bin/sh\n${script}\n`)
    await chmod(program, 0o755)
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vmpkg-kvm-'))
    device = join(dir, 'kvm')
    program = join(dir, 'qemu')
  })
  after(() => rm(dir, { recursive: true, force: true }))

  test('finds a machine without the device unusable, without running anything', async () => {
    const verdict = await probe()
    assert.equal(verdict.usable, false)
    assert.match(verdict.reason, /does not exist/)
    assert.equal(runs, 0)
    await writeFile(device, '')
  })

  test('believes only the exit status that the guest itself gives', async () => {
    await become('exit 85')
    assert.equal((await probe()).usable, true)
    await become('exit 0 # the guest was reset')
    assert.deepEqual(await probe(), { usable: false, reason: 'a probe guest was reset before its end' })
    await become('echo "error: failed to set MSR 0x10a to 0x69" >&2; kill -ABRT $$')
    assert.match((await probe()).reason, /MSR 0x10a/)
  })

  test('remembers its verdict until QEMU or the device changes', async () => {
    await become('exit 85 # once')
    const runsBefore = runs
    assert.deepEqual(await probe(), await probe())
    assert.equal(runs, runsBefore + 1)
    await chmod(device, 0o640)
    await probe()
    assert.equal(runs, runsBefore + 2)
    assert.deepEqual(await readdir(join(dir, 'cache')), ['kvm-probe.json'])
  })

  test('runs again when the remembered verdict is damaged', async () => {
    await writeFile(join(dir, 'cache', 'kvm-probe.json'), '{"usable":tr')
    const runsBefore = runs
    assert.equal((await probe()).usable, true)
    assert.equal(runs, runsBefore + 1)
  })

  test('gives the guest up when it hangs', async () => {
    await become('exec sleep 60')
    assert.match((await probe()).reason, /hung for 5 s/)
  })

  test('agrees with itself about the real device', { skip: qemu === '' && 'QEMU missing' }, async () => {
    const options = { qemu, cacheDir: join(dir, 'real'), processes: realProcesses }
    const verdict = await probeKvm(options)
    assert.notEqual(verdict.reason, '')
    assert.deepEqual(await probeKvm(options), verdict)
  })
})
