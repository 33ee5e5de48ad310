import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readHostJournal } from '../../src/host/host-journal.ts'
import { NO_WISHES } from '../../src/host/host-wishes.ts'
import { readPciDevices } from '../../src/host/pci-device.ts'
import { applyHost } from '../../src/operations/host-apply.ts'
import { applyHostBind, planHostBind, planHostUnbind, unbindHost } from '../../src/operations/host-bind.ts'
import { planHost } from '../../src/operations/host-plan.ts'
import { planHostUndo, undoHost } from '../../src/operations/host-undo.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { writeDebianHost } from '../support/debian-host.ts'
import { type FakeKernel, fakeKernel } from '../support/fake-kernel.ts'
import type { FakeHost } from '../support/fake-pci.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { gpu, nicBehindPort } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

interface Bench {
  readonly workspace: Workspace
  readonly target: string
  readonly kernel: FakeKernel
  readonly drivers: () => Promise<readonly string[]>
}

async function start(t: TestContext, host: FakeHost, refuse: readonly string[] = []): Promise<Bench> {
  const target = await writeDebianHost(await makeTempFolder(t), host)
  const native = Object.fromEntries(
    host.devices.flatMap((d) => (d.driver === undefined ? [] : [[d.address, d.driver]])),
  )
  const kernel = fakeKernel(join(target, 'sys'), native, { refuse })
  const drivers = async (): Promise<readonly string[]> =>
    (await readPciDevices(join(target, 'sys'))).map(({ address, driver }) => `${address} ${driver ?? '-'}`)
  return { workspace: await openLocalWorkspace(t), target, kernel, drivers }
}

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

describe('applyHostBind', () => {
  test('binds a whole card as planned, and undo gives it back', async (t) => {
    const { workspace, target, kernel, drivers } = await start(t, gpu)
    const before = await drivers()
    const plan = await planHostBind({ target, devices: ['01:00.0'], mode: 'default' })
    const bound = await applyHostBind(workspace, plan, kernel.write)
    assert.deepEqual(bound, ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2', '0000:01:00.3'])
    assert.deepEqual(kernel.written, plan.writes)
    assert.equal((await drivers()).filter((line) => line.endsWith('vfio-pci')).length, 4)
    const undo = await planHostUndo({ target })
    assert.deepEqual(undo.unbind, bound)
    const undone = await undoHost(workspace, undo, { write: kernel.write })
    assert.deepEqual([...undone.unbound].toReversed(), bound)
    assert.deepEqual(await drivers(), before)
    assert.equal(await exists(join(target, 'var/lib/vmpkg/host.json')), false)
  })

  test('remembers driver and MAC, also over a second call, and gives back what is named', async (t) => {
    const { workspace, target, kernel, drivers } = await start(t, nicBehindPort)
    const before = await drivers()
    const request = { target, devices: ['03:00.0'], mode: 'default' } as const
    await applyHostBind(workspace, await planHostBind(request), kernel.write)
    assert.deepEqual(await applyHostBind(workspace, await planHostBind(request), kernel.write), [])
    const unbind = async (asked: { target: string; names: string[] }): Promise<readonly string[]> =>
      unbindHost(await planHostUnbind(workspace, asked), kernel.write)
    const { bound, macs } = await readHostJournal(target)
    assert.deepEqual(bound, [{ address: '0000:03:00.0', driver: 'e1000e' }])
    assert.equal(macs['0000:03:00.0'], '52:54:00:00:03:00')
    await assert.rejects(unbind({ target, names: ['00:19.0'] }), {
      code: 'DEVICE_UNKNOWN',
    })
    kernel.written.length = 0
    const plan = await planHostUnbind(workspace, { target, names: ['03:00.0'] })
    assert.deepEqual(await unbind({ target, names: ['03:00.0'] }), ['0000:03:00.0'])
    assert.deepEqual(kernel.written, plan.writes)
    assert.deepEqual(await drivers(), before)
    assert.deepEqual(await unbind({ target, names: [] }), [])
  })

  test('takes files and devices back together', async (t) => {
    const { workspace, target, kernel, drivers } = await start(t, nicBehindPort)
    const before = await drivers()
    await applyHost(workspace, await planHost({ target, wishes: { ...NO_WISHES, devices: ['03:00.0'] } }))
    await applyHostBind(workspace, await planHostBind({ target, devices: ['03:00.0'], mode: 'default' }), kernel.write)
    assert.ok(await exists(join(target, 'etc/modprobe.d/vmpkg.conf')))
    await undoHost(workspace, await planHostUndo({ target }), { write: kernel.write })
    assert.equal(await exists(join(target, 'etc/modprobe.d/vmpkg.conf')), false)
    assert.deepEqual(await drivers(), before)
  })

  test('leaves no trace when the kernel refuses, and none when the planner does', async (t) => {
    const { workspace, target, kernel, drivers } = await start(t, gpu, ['0000:01:00.1'])
    const before = await drivers()
    const plan = await planHostBind({ target, devices: ['01:00.0'], mode: 'default' })
    await assert.rejects(applyHostBind(workspace, plan, kernel.write), { code: 'DEVICE_REFUSED' })
    assert.deepEqual(await drivers(), before)
    assert.equal(await exists(join(target, 'var/lib/vmpkg/host.json')), false)
    await assert.rejects(planHostBind({ target, devices: ['01:00.0'], mode: 'default', onlyNamed: true }), {
      code: 'DEVICE_REFUSED',
      message: /0000:01:00\.1 .*0000:01:00\.2/,
    })
  })

  test('a device that was bound before the host started again is given back by its rules alone', async (t) => {
    const { workspace, target, kernel } = await start(t, nicBehindPort)
    await applyHostBind(workspace, await planHostBind({ target, devices: ['03:00.0'], mode: 'default' }), kernel.write)
    // The start: overrides are gone, the driver has it again.
    await unbindHostByHand(kernel, target)
    kernel.written.length = 0
    await undoHost(workspace, await planHostUndo({ target }), { write: kernel.write })
    assert.deepEqual(kernel.written, [])
    assert.match(await readFile(join(target, 'sys/bus/pci/devices/0000:03:00.0/driver_override'), 'utf8'), /null/)
  })
})

async function unbindHostByHand({ write }: FakeKernel, target: string): Promise<void> {
  const device = join(target, 'sys/bus/pci/devices/0000:03:00.0')
  await write(join(device, 'driver_override'), '\n')
  await write(join(device, 'driver/unbind'), '0000:03:00.0')
  await write(join(target, 'sys/bus/pci/drivers_probe'), '0000:03:00.0')
}
