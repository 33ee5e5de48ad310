import assert from 'node:assert/strict'
import { chmod, lstat, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Emit } from '../../src/events.ts'
import type { HostDaemon } from '../../src/host/host-tree.ts'
import { type HostWishes, NO_WISHES } from '../../src/host/host-wishes.ts'
import { applyHost, runCommands } from '../../src/operations/host-apply.ts'
import { type HostPlan, planHost } from '../../src/operations/host-plan.ts'
import { planHostUndo, undoHost } from '../../src/operations/host-undo.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import type { Processes } from '../../src/ports.ts'
import { DEBIAN_GRUB, writeDebianHost } from '../support/debian-host.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { gpu, nicBehindPort, singleNic, twoEqualCards } from '../support/passthrough-hosts.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** Every file and link below a folder with mode and contents, /sys and /proc left out; no link is followed. */
async function snapshot(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const visit = async (below: string): Promise<void> => {
    for (const name of (await readdir(join(folder, below))).toSorted()) {
      const path = join(below, name)
      if (path === 'sys' || path === 'proc') continue
      const kind = await lstat(join(folder, path))
      const mode = (kind.mode & 0o7777).toString(8)
      if (kind.isSymbolicLink()) found.set(path, `-> ${await readlink(join(folder, path))}`)
      else
        found.set(path, kind.isDirectory() ? `folder ${mode}` : `${mode} ${await readFile(join(folder, path), 'utf8')}`)
      if (kind.isDirectory()) await visit(path)
    }
  }
  await visit('')
  return found
}

const wish = (more: Partial<HostWishes>): HostWishes => ({ ...NO_WISHES, ...more })

async function apply(
  workspace: Workspace,
  target: string,
  more: Partial<HostWishes>,
  replace = false,
): Promise<HostPlan> {
  const plan = await planHost({ target, wishes: wish(more), replace })
  await applyHost(workspace, plan)
  return plan
}

async function undo(workspace: Workspace, target: string): Promise<void> {
  await undoHost(workspace, await planHostUndo({ target }))
}

async function start(
  t: TestContext,
  host = nicBehindPort,
  files: Readonly<Record<string, string | null>> = {},
): Promise<{ workspace: Workspace; target: string; read: (path: string) => Promise<string> }> {
  const target = await writeDebianHost(await makeTempFolder(t), host, files)
  const workspace = await openLocalWorkspace(t)
  return { workspace, target, read: async (path) => readFile(join(target, path), 'utf8') }
}

/** Lines of a file that are ours. */
async function ours(target: string, path: string): Promise<readonly string[]> {
  const lines = (await readFile(join(target, path), 'utf8')).split('\n')
  return lines.slice(lines.findIndex((line) => line.startsWith('# BEGIN vmpkg')) + 1, lines.indexOf('# END vmpkg'))
}

const everything: Partial<HostWishes> = {
  devices: ['03:00.0'],
  iommuPt: true,
  ignoreMsrs: true,
  bridges: ['virbr0', 'br1'],
  users: ['ann'],
  memlockKib: 8_650_752,
  hugepages: 256,
  blacklist: ['ipmi'],
}

describe('planHost', () => {
  test('says the same as sh about the kernel command line, by a file of our own', async (t) => {
    const { workspace, target } = await start(t)
    await apply(workspace, target, { iommuPt: true })
    const script =
      '. etc/default/grub; for x in etc/default/grub.d/*.cfg; do . "$x"; done; printf %s "$GRUB_CMDLINE_LINUX_DEFAULT"'
    const { stdout } = await realProcesses.run('sh', ['-c', script], { cwd: target })
    assert.equal(stdout, 'quiet intel_iommu=on iommu=pt'.replace('intel_iommu=on ', ''))
    assert.equal(await readFile(join(target, 'etc/default/grub'), 'utf8'), DEBIAN_GRUB)
  })

  test('adds the word of the maker while the IOMMU is off, and edits the key where GRUB knows no folder', async (t) => {
    const off = { ...singleNic, devices: singleNic.devices.map((device) => ({ ...device, group: undefined as never })) }
    for (const [cpu, word] of [
      ['GenuineIntel', 'intel_iommu=on'],
      ['AuthenticAMD', 'amd_iommu=on'],
    ] as const) {
      const { workspace, target, read } = await start(t, { ...off, cpu }, { 'usr/sbin/grub-mkconfig': '#!/bin/sh\n' })
      await apply(workspace, target, {})
      assert.equal(await read('etc/default/grub'), DEBIAN_GRUB.replace('"quiet"', `"quiet ${word}"`))
      assert.equal((await planHost({ target, wishes: NO_WISHES })).diffs.length, 0)
      await undo(workspace, target)
      assert.equal(await read('etc/default/grub'), DEBIAN_GRUB)
    }
  })

  test('writes what each program reads', async (t) => {
    const { workspace, target } = await start(t)
    await apply(workspace, target, everything)
    assert.deepEqual(await ours(target, 'etc/modprobe.d/vmpkg.conf'), [
      'options vfio-pci ids=8086:10d3',
      'softdep e1000e pre: vfio-pci',
      'options kvm ignore_msrs=1',
      'blacklist ipmi_si',
      'blacklist ipmi_devintf',
    ])
    assert.deepEqual(await ours(target, 'etc/modules-load.d/vmpkg.conf'), [
      'vfio',
      'vfio_iommu_type1',
      'vfio_pci',
      'vfio_virqfd',
      'vhost_net',
    ])
    assert.deepEqual(await ours(target, 'etc/udev/rules.d/10-qemu-hw-users.rules'), [
      'SUBSYSTEM=="vfio", OWNER="root", GROUP="kvm", MODE="0660"',
    ])
    assert.deepEqual(await ours(target, 'etc/security/limits.d/vmpkg.conf'), [
      '@kvm soft memlock 8650752',
      '@kvm hard memlock 8650752',
      'ann soft memlock 8650752',
      'ann hard memlock 8650752',
    ])
    assert.deepEqual(await ours(target, 'etc/systemd/system/libvirtd.service.d/vmpkg.conf'), [
      '[Service]',
      'LimitMEMLOCK=8650752K',
    ])
    assert.deepEqual(await ours(target, 'etc/qemu/bridge.conf'), ['allow virbr0', 'allow br1'])
    assert.deepEqual(await ours(target, 'etc/sysctl.d/90-vmpkg.conf'), ['vm.nr_hugepages = 256'])
    assert.deepEqual(await ours(target, 'etc/initramfs-tools/modules'), ['vfio_pci'])
  })

  test('a kernel from 6.2 on has no vfio_virqfd; what it lacks or has built in is left out', async (t) => {
    const modules = 'lib/modules/6.12.1-amd64'
    const { workspace, target } = await start(
      t,
      { ...nicBehindPort, release: '6.12.1-amd64' },
      {
        [`${modules}/modules.dep`]: 'kernel/drivers/vfio/vfio.ko:\nkernel/drivers/vfio/vfio_iommu_type1.ko:\n',
        [`${modules}/modules.builtin`]: 'kernel/drivers/vfio/pci/vfio-pci.ko\n',
      },
    )
    const plan = await apply(workspace, target, { devices: ['03:00.0'] })
    assert.deepEqual(await ours(target, 'etc/modules-load.d/vmpkg.conf'), ['vfio', 'vfio_iommu_type1'])
    assert.match(plan.diffs.join('\n'), /vfio-pci\.ids=8086:10d3/)
  })

  test('an equal card that stays is spared: a rule and a unit by address, none by id', async (t) => {
    const { workspace, target, read } = await start(t, twoEqualCards)
    await apply(workspace, target, { devices: ['04:00.0'] })
    await assert.rejects(read('etc/modprobe.d/vmpkg.conf'), { code: 'ENOENT' })
    assert.ok(
      (await ours(target, 'etc/udev/rules.d/10-qemu-hw-users.rules')).includes(
        'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="0000:04:00.0", ATTR{driver_override}="vfio-pci"',
      ),
    )
    const unit = await read('etc/systemd/system/vmpkg-vfio.service')
    assert.ok(unit.includes('0000:04:00.0') && !unit.includes('0000:03:00.0'))
    assert.equal(
      await readlink(join(target, 'etc/systemd/system/multi-user.target.wants/vmpkg-vfio.service')),
      '/etc/systemd/system/vmpkg-vfio.service',
    )
  })

  test('the unit is one that systemd reads, and its script binds as the kernel documents', async (t) => {
    const { workspace, target, read } = await start(t, twoEqualCards)
    await apply(workspace, target, { devices: ['04:00.0'] })
    const path = join(target, 'etc/systemd/system/vmpkg-vfio.service')
    const checked = await realProcesses.run('systemd-analyze', ['verify', path]).catch(() => undefined)
    if (checked !== undefined) assert.doesNotMatch(checked.stderr, /vmpkg-vfio\.service:\d+:/)
    const script = /ExecStart=\/bin\/sh -c '(.*)'/.exec(await read('etc/systemd/system/vmpkg-vfio.service'))?.[1] ?? ''
    // On a tree the writes land in the files: what the script would tell the kernel.
    const { exitCode, stderr } = await realProcesses.run('sh', ['-c', script.replaceAll('/sys/', `${target}/sys/`)])
    assert.equal(exitCode, 0, stderr)
    assert.equal((await read('sys/bus/pci/devices/0000:04:00.0/driver_override')).trim(), 'vfio-pci')
    assert.equal((await read('sys/bus/pci/drivers/alx/unbind')).trim(), '0000:04:00.0')
    assert.equal((await read('sys/bus/pci/drivers_probe')).trim(), '0000:04:00.0')
  })

  test('with --late everything is bound by the unit, and a graphics card is kept from its drivers', async (t) => {
    const { workspace, target, read } = await start(t, gpu)
    await apply(workspace, target, { devices: ['01:00'] })
    const lines = await ours(target, 'etc/modprobe.d/vmpkg.conf')
    assert.equal(lines[0], 'options vfio-pci ids=10de:1e04,10de:10f7,10de:1ad6,10de:1ad7 disable_vga=1')
    for (const driver of ['nouveau', 'nvidia', 'snd_hda_intel', 'xhci_pci'])
      assert.ok(lines.includes(`softdep ${driver} pre: vfio-pci`), driver)
    await apply(workspace, target, { late: true })
    await assert.rejects(read('etc/modprobe.d/vmpkg.conf'), { code: 'ENOENT' })
    assert.match(await read('etc/systemd/system/vmpkg-vfio.service'), /After=cryptsetup\.target/)
  })

  test('refuses devices that the planner refuses, and changes nothing', async (t) => {
    const { target } = await start(t)
    const before = await snapshot(target)
    await assert.rejects(planHost({ target, wishes: wish({ devices: ['00:1f.2'] }) }), {
      code: 'DEVICE_REFUSED',
      message: /carries \//,
    })
    await assert.rejects(planHost({ target, wishes: wish({ bridges: ['br0\nallow all'] }) }), {
      code: 'PARAMETER_INVALID',
    })
    assert.deepEqual(await snapshot(target), before)
  })

  test('names what each choice costs', async (t) => {
    const { target } = await start(t, { ...gpu, hasRemapping: false })
    const plan = await planHost({
      target,
      wishes: wish({ iommuPt: true, unsafeAcs: true, unsafeInterrupts: true, ignoreMsrs: true }),
    })
    const risks = new Map(
      plan.advice.filter(({ isPlanned }) => isPlanned).map(({ topic, risk, text }) => [topic, `${text} ${risk ?? ''}`]),
    )
    assert.match(risks.get('iommu-pt') ?? '', /reach all of its memory/)
    assert.match(
      risks.get('acs') ?? '',
      /group 11 \(0000:01:00\.0, 0000:01:00\.1, 0000:01:00\.2, 0000:01:00\.3\).*patched kernel/,
    )
    assert.match(risks.get('unsafe-interrupts') ?? '', /any interrupt/)
    assert.match(risks.get('ignore-msrs') ?? '', /hidden/)
    assert.ok(plan.diffs.join('').includes('options vfio_iommu_type1 allow_unsafe_interrupts=1'))
  })

  test('says which commands have to follow, and which of them it never runs', async (t) => {
    const { target } = await start(t)
    const { commands } = await planHost({ target, wishes: wish(everything) })
    const of = (isSafe: boolean): readonly string[] =>
      commands.filter((command) => command.isSafe === isSafe).map(({ argv }) => argv.join(' '))
    assert.deepEqual(of(true), [
      'update-grub',
      'update-initramfs -u',
      'udevadm control --reload',
      'udevadm trigger --subsystem-match=vfio',
      'systemctl daemon-reload',
      'sysctl --system',
      'systemctl restart systemd-modules-load.service',
      'usermod -aG libvirt ann',
      'usermod -aG kvm ann',
    ])
    assert.deepEqual(of(false), [
      'dpkg-statoverride --update --add root libvirt 4750 /usr/lib/qemu/qemu-bridge-helper',
      'systemctl try-restart libvirtd.service',
      'reboot',
    ])
  })
})

describe('applyHost', () => {
  test('is done when it is done, also once vfio-pci has the device', async (t) => {
    const { workspace, target } = await start(t)
    await apply(workspace, target, everything)
    const before = await snapshot(target)
    const again = await planHost({ target, wishes: wish(everything) })
    assert.deepEqual(again.diffs, [])
    assert.equal((await applyHost(workspace, again)).changed, false)
    assert.deepEqual(await snapshot(target), before)
    // After the reboot.
    await rm(join(target, 'sys/bus/pci/devices/0000:03:00.0/driver'))
    await symlink('../../../../bus/pci/drivers/vfio-pci', join(target, 'sys/bus/pci/devices/0000:03:00.0/driver'))
    assert.deepEqual((await planHost({ target, wishes: NO_WISHES })).diffs, [])
  })

  test('keeps earlier wishes until they are replaced', async (t) => {
    const { workspace, target, read } = await start(t)
    await apply(workspace, target, { bridges: ['br1'] })
    await apply(workspace, target, { hugepages: 4 })
    assert.deepEqual(await ours(target, 'etc/qemu/bridge.conf'), ['allow br1'])
    await apply(workspace, target, { bridges: ['br2'] }, true)
    assert.deepEqual(await ours(target, 'etc/qemu/bridge.conf'), ['allow br2'])
    await assert.rejects(read('etc/sysctl.d/90-vmpkg.conf'), { code: 'ENOENT' })
  })

  test('keeps mode and owner of files that were there', async (t) => {
    const { workspace, target } = await start(t)
    await chmod(join(target, 'etc/qemu/bridge.conf'), 0o640)
    await apply(workspace, target, { bridges: ['br1'] })
    assert.equal((await stat(join(target, 'etc/qemu/bridge.conf'))).mode & 0o7777, 0o640)
  })

  test('follows no link out of the tree, and replaces none', async (t) => {
    const { target } = await start(t)
    const elsewhere = await makeTempFolder(t)
    await symlink(elsewhere, join(target, 'etc/sysctl.d'))
    await assert.rejects(planHost({ target, wishes: wish({ hugepages: 1 }) }), {
      code: 'HOST_FILE_CHANGED',
      message: /leads out/,
    })
    await rm(join(target, 'etc/qemu/bridge.conf'))
    await symlink(join(elsewhere, 'x'), join(target, 'etc/qemu/bridge.conf'))
    await assert.rejects(planHost({ target, wishes: wish({ bridges: ['br0'] }) }), {
      code: 'HOST_FILE_CHANGED',
      message: /symbolic link/,
    })
  })
})

describe('runCommands', () => {
  const firstWords = (lines: readonly string[]) => lines.map((line) => line.split(' ')[0])
  async function run(t: TestContext, absent: readonly HostDaemon[], exitCode = 0) {
    const { workspace, target } = await start(t)
    const { commands } = await planHost({ target, wishes: wish(everything) })
    const typed: string[] = []
    const told: string[] = []
    const processes: Processes = {
      ...workspace.outside.processes,
      run: async (program, args) => {
        typed.push([program, ...args].join(' '))
        return { exitCode, stdout: '', stderr: 'no' }
      },
    }
    const emit: Emit = (event) => void (event.type === 'noted' && told.push(event.message))
    const quiet = Object.create(workspace, {
      outside: { value: { ...workspace.outside, processes, emit } },
    }) as Workspace
    const words = (list: readonly { readonly argv: readonly string[] }[]) => list.map(({ argv }) => argv.join(' '))
    const { ran, skipped, left } = await runCommands(quiet, '/', commands, new Set(absent))
    return { typed, told, ran: words(ran), skipped: words(skipped), left: words(left) }
  }

  test('runs what disturbs nobody and leaves the rest', async (t) => {
    const { typed, ran, skipped, left } = await run(t, [])
    assert.deepEqual(typed, ran)
    assert.ok(ran.includes('systemctl daemon-reload') && ran.includes('udevadm control --reload'))
    assert.deepEqual(skipped, [])
    assert.deepEqual(firstWords(left), ['dpkg-statoverride', 'systemctl', 'reboot'])
  })

  test('skips what talks to a daemon that does not run, says why, and goes on', async (t) => {
    const { typed, told, skipped, left } = await run(t, ['systemd', 'udev'])
    assert.deepEqual(typed, [
      'update-grub',
      'update-initramfs -u',
      'sysctl --system',
      'usermod -aG libvirt ann',
      'usermod -aG kvm ann',
    ])
    assert.deepEqual(skipped, [
      'udevadm control --reload',
      'udevadm trigger --subsystem-match=vfio',
      'systemctl daemon-reload',
      'systemctl restart systemd-modules-load.service',
      'systemctl try-restart libvirtd.service',
    ])
    assert.ok(
      told.some((text) => text.startsWith('Skipped systemctl daemon-reload: systemd does not run here')),
      told.join(),
    )
    assert.deepEqual(firstWords(left), ['dpkg-statoverride', 'reboot'])
    assert.deepEqual((await run(t, ['udev'])).skipped, skipped.slice(0, 2))
  })

  test('ends at a command that fails', async (t) => {
    await assert.rejects(run(t, [], 1), { code: 'HOST_UNSUPPORTED', message: /update-grub failed: no/ })
  })
})

describe('undoHost', () => {
  test('restores every byte, mode and folder, whatever was asked for in whatever order', async (t) => {
    const workspace = await openLocalWorkspace(t)
    const wishes = fc.record(
      {
        devices: fc.subarray(['03:00.0']),
        iommuPt: fc.boolean(),
        ignoreMsrs: fc.boolean(),
        late: fc.boolean(),
        bridges: fc.subarray(['br0', 'br1']),
        users: fc.subarray(['ann', 'bob']),
        memlockKib: fc.constantFrom(null, 4096, 'unlimited' as const),
        hugepages: fc.constantFrom(null, 0, 512),
        blacklist: fc.subarray(['ipmi', 'nouveau']),
      },
      { noNullPrototype: true },
    )
    const tails = fc.constantFrom<Readonly<Record<string, string | null>>>(
      {},
      { 'usr/sbin/grub-mkconfig': '#!/bin/sh\n' },
      { 'etc/qemu/bridge.conf': null, 'etc/initramfs-tools/modules': 'a\nb' },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(wishes, fc.boolean()), { minLength: 1, maxLength: 3 }),
        tails,
        async (steps, files) => {
          const folder = await makeTempFolder(t)
          const target = await writeDebianHost(folder, nicBehindPort, files)
          const before = await snapshot(target)
          for (const [more, replace] of steps) await apply(workspace, target, more, replace)
          await undo(workspace, target)
          const after = new Map(await snapshot(target))
          for (const path of ['var', 'var/lib', 'var/lib/vmpkg']) after.delete(path) // the journal’s folder may stay
          assert.deepEqual(after, before)
          await rm(folder, { recursive: true })
        },
      ),
      { numRuns: 25 },
    )
  })

  test('leaves what a user wrote since', async (t) => {
    const { workspace, target, read } = await start(t, nicBehindPort, { 'usr/sbin/grub-mkconfig': '#!/bin/sh\n' })
    await apply(workspace, target, everything)
    const grub = await read('etc/default/grub')
    assert.match(grub, /DEFAULT="quiet iommu=pt"/)
    await writeFile(
      join(target, 'etc/default/grub'),
      grub.replace('quiet', 'quiet nomodeset').replace('TIMEOUT=5', 'TIMEOUT=1'),
    )
    await writeFile(join(target, 'etc/qemu/bridge.conf'), `${await read('etc/qemu/bridge.conf')}allow br7\n`)
    await undo(workspace, target)
    assert.equal(
      await read('etc/default/grub'),
      DEBIAN_GRUB.replace('quiet', 'quiet nomodeset').replace('TIMEOUT=5', 'TIMEOUT=1'),
    )
    assert.equal(await read('etc/qemu/bridge.conf'), '# bridges of ours\nallow br9\nallow br7\n')
    await assert.rejects(stat(join(target, 'var/lib/vmpkg/host.json')), { code: 'ENOENT' })
  })

  test('refuses when somebody changed our lines, names the file, and changes nothing', async (t) => {
    const { workspace, target, read } = await start(t)
    await apply(workspace, target, everything)
    const conf = await read('etc/modprobe.d/vmpkg.conf')
    await writeFile(join(target, 'etc/modprobe.d/vmpkg.conf'), conf.replace('10d3', '10d4'))
    const before = await snapshot(target)
    await assert.rejects(planHostUndo({ target }), {
      code: 'HOST_FILE_CHANGED',
      message: /\/etc\/modprobe\.d\/vmpkg\.conf/,
    })
    await assert.rejects(planHost({ target, wishes: NO_WISHES }), { code: 'HOST_FILE_CHANGED' })
    assert.deepEqual(await snapshot(target), before)
    // Removed by hand it is nobody's any more.
    await rm(join(target, 'etc/modprobe.d/vmpkg.conf'))
    await undo(workspace, target)
  })

  test('a change that was cut off is taken back as far as it came', async (t) => {
    const { workspace, target } = await start(t)
    const before = await snapshot(target)
    const plan = await planHost({ target, wishes: wish(everything) })
    // The journal is written first: without the file it speaks of there is nothing to do.
    const broken = {
      ...plan,
      changes: plan.changes.map((change, i) => (i === 3 ? { ...change, path: 'etc/group/not-a-folder' } : change)),
    }
    await assert.rejects(applyHost(workspace, broken))
    await undo(workspace, target)
    const after = new Map(await snapshot(target))
    for (const path of ['var', 'var/lib', 'var/lib/vmpkg']) after.delete(path)
    assert.deepEqual(after, before)
  })

  test('without a journal there is nothing to undo; a damaged one is said to be so', async (t) => {
    const { workspace, target } = await start(t)
    const plan = await planHostUndo({ target })
    assert.equal((await undoHost(workspace, plan)).changed, false)
    await apply(workspace, target, { hugepages: 1 })
    await writeFile(join(target, 'var/lib/vmpkg/host.json'), '{')
    await assert.rejects(planHostUndo({ target }), { code: 'STATE_INVALID' })
  })
})
