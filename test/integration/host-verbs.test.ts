import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type Cli, makeCli } from '../support/cli.ts'
import { DEBIAN_GRUB, writeDebianHost } from '../support/debian-host.ts'
import { gpu, nicBehindPort } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function start(t: TestContext, host = nicBehindPort): Promise<{ cli: Cli; target: string }> {
  const cli = await makeCli()
  t.after(() => cli.close())
  return { cli, target: await writeDebianHost(await makeTempFolder(t), host) }
}

describe('vmpkg devices', () => {
  test('prints a row a device, groups together, and the same as JSON', async (t) => {
    const { cli, target } = await start(t, gpu)
    const table = await cli.run(['devices', '--pci', '--target', target])
    assert.equal(table.status, 0)
    const rows = table.stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t'))
    assert.equal(rows.length, gpu.devices.length)
    const card = rows.find(([, address]) => address === '0000:01:00.1')
    assert.deepEqual(card?.slice(0, 6), ['11', '0000:01:00.1', '10de:10f7', 'snd_hda_intel', '-', 'no'])
    assert.match(card?.[6] ?? '', /nouveau holds 0000:01:00\.0/)
    const json = await cli.json(['devices', '--pci', '--json', '--target', target])
    assert.equal(json['schema'], 'vmpkg.devices/1')
    for (const row of rows) assert.ok(JSON.stringify(json['pci']).includes(`"address":"${row[1]}"`))
    assert.equal((await cli.run(['devices', '--class', 'nvme', '--target', target])).status, 1)
  })

  test('show names what stands in the way, in words and as JSON', async (t) => {
    const { cli, target } = await start(t)
    const shown = await cli.run(['devices', 'show', '00:1f.2', '--target', target])
    assert.match(shown.stdout, /^Refused: +0000:00:1f\.2 carries \/ \(\/dev\/sda1\)/m)
    const json = await cli.json(['devices', 'show', '8086:10d3', '--json', '--target', target])
    assert.match(JSON.stringify(json['devices']), /"bind":\["0000:03:00\.0"\]/)
    const unknown = await cli.run(['devices', 'show', '0a:00.0', '--target', target])
    assert.deepEqual([unknown.status, unknown.stdout], [100, ''])
    assert.match(unknown.stderr, /\[DEVICE_UNKNOWN\]/)
  })
})

describe('vmpkg host', () => {
  test('plan shows differences that patch understands; apply makes them; undo takes them back', async (t) => {
    const { cli, target } = await start(t)
    const words = ['--device', '03:00.0', '--bridge', 'virbr0', '--iommu-pt', '--target', target]
    const plan = await cli.run(['host', 'plan', ...words])
    assert.equal(plan.status, 0, plan.stderr)
    assert.match(plan.stdout, /^\+\+\+ \/etc\/modprobe\.d\/vmpkg\.conf\n@@ -0,0 \+1,4 @@\n\+# BEGIN vmpkg/m)
    assert.match(plan.stdout, /^\+allow virbr0$/m)
    assert.match(plan.stderr, /Risk: Devices that the host keeps can reach all of its memory/)
    assert.match(plan.stderr, / {2}update-grub /)
    assert.equal(await readFile(join(target, 'etc/qemu/bridge.conf'), 'utf8'), '# bridges of ours\nallow br9')
    const refused = await cli.run(['host', 'apply', ...words])
    assert.match(refused.stderr, /\[CONFIRMATION_NEEDED\]/)
    const applied = await cli.run(['host', 'apply', ...words, '-y'])
    assert.equal(applied.status, 0, applied.stderr)
    assert.match(applied.stdout, /^changed .*\/etc\/default\/grub\.d\/99-vmpkg\.cfg$/m)
    assert.equal((await cli.run(['host', 'plan', '--target', target])).status, 1)
    const preview = await cli.run(['host', 'undo', '--dry-run', '--target', target])
    assert.match(preview.stdout, /^-allow virbr0$/m)
    const undone = await cli.json(['host', 'undo', '-y', '--json', '--target', target])
    assert.equal(undone['changed'], true)
    assert.equal(await readFile(join(target, 'etc/qemu/bridge.conf'), 'utf8'), '# bridges of ours\nallow br9')
    assert.equal(await readFile(join(target, 'etc/default/grub'), 'utf8'), DEBIAN_GRUB)
    assert.match((await cli.run(['host', 'undo', '-y', '--target', target])).stdout, /changed nothing/)
  })

  test('bind --dry-run prints the writes; commands are not run for another tree', async (t) => {
    const { cli, target } = await start(t)
    const writes = await cli.run(['host', 'bind', '03:00.0', '--dry-run', '--target', target])
    assert.equal(
      writes.stdout,
      '/sys/bus/pci/devices/0000:03:00.0/driver_override < vfio-pci\n' +
        '/sys/bus/pci/devices/0000:03:00.0/driver/unbind < 0000:03:00.0\n' +
        '/sys/bus/pci/drivers_probe < 0000:03:00.0\n',
    )
    const run = await cli.run(['host', 'apply', '--run', '-y', '--target', target])
    assert.match(run.stderr, /\[HOST_UNSUPPORTED\]/)
    assert.equal((await cli.run(['host', 'plan', '--target', target])).status, 0, 'nothing was changed')
    assert.match((await cli.run(['host', 'plan', '--mode', 'all', '--target', target])).stderr, /\[USAGE\]/)
  })
})
