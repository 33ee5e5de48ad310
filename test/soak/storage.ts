/**
 * LVM for real, which needs a kernel with device-mapper: on the host of test/support/passthrough-host.ts volume groups, thin
 * pools and machines in them. What was typed and what it said becomes docs/storage-proof.md.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startPassthroughHost, WAN_ADDRESS } from '../support/passthrough-host.ts'
import { withoutPassthroughHost } from '../support/passthrough-image.ts'
import { Transcript } from '../support/transcript.ts'

const TRANSCRIPT = join(import.meta.dirname, '..', '..', 'docs', 'storage-proof.md')
const HEAD = `# Storage on LVM, proved

\`npm run soak -- storage\` wrote this page. It brings up a Debian 12 guest of QEMU without KVM, with its own kernel (so with
device-mapper), libvirt, QEMU and LVM, and vmpkg compiled from this checkout. All that follows was typed there by the
script, which checks each answer; what came on standard error stands below what came on standard output. The times are those
of emulation within emulation. [storage.md](storage.md) says what all of it is for.
`
const SLOW_MS = 400_000
/** LVM complains of the port that jobs come by. */
const QUIET = 'export LVM_SUPPRESS_FD_WARNINGS=1;'
const LVS = `${QUIET} lvs --noheadings -o lv_name,lv_size,pool_lv,lv_tags vg0`
/** How much the guest has written since its start, once it has. */
const WRITTEN = (name: string): string =>
  `for i in $(seq 90); do n=$(virsh domblkstat ${name} vda | sed -n "s/.*wr_bytes //p"); [ "$n" -gt 0 ] && break; sleep 2; done; [ "$n" -gt 0 ]`
/** Ends vmpkg with the volume just made, or just before it goes. */
const KILLING = (tool: string, order: string): string =>
  `printf "#!/bin/sh\\n${order}\\n" >/usr/local/sbin/${tool}; chmod +x /usr/local/sbin/${tool}`

/** Throws at the first answer that is not the right one. @returns the figures in Markdown */
export async function soakStorage(): Promise<string> {
  if (withoutPassthroughHost !== false) throw new Error(withoutPassthroughHost)
  const began = performance.now()
  await using host = await startPassthroughHost(['router-uni', 'app-console'], 2048)
  const bootSeconds = (performance.now() - began) / 1000
  const script = new Transcript(host)
  try {
    const figures = await prove(script)
    const seconds = Math.round((performance.now() - began) / 1000)
    return `${figures}\n\n${seconds} s, of which ${bootSeconds.toFixed(0)} s until the host was up.`
  } finally {
    await writeFile(TRANSCRIPT, `${HEAD}\n${script.text()}`)
  }
}

async function prove(script: Transcript): Promise<string> {
  script.section('The host', 'A volume group on an empty disk, a thin pool in it, and a volume of somebody else.')
  await script.type('uname -sr; lvm version | head -1; virsh version --daemon | tail -1')
  await script.type('modprobe tun')
  await script.type('vgcreate -q -y vg0 /dev/disk/by-id/virtio-spare')
  await script.type('lvcreate -q -y --type thin-pool --name pool0 --size 640M --poolmetadatasize 8M vg0 2>/dev/null')
  await script.type('lvcreate -q -y --name somebodys --size 16M vg0')

  script.section('Storages', 'Thick volumes, thin ones, and thin ones that are encrypted with a key file.')
  await script.type('vmpkg storage add thick --type lvm --volume-group vg0')
  await script.type('vmpkg storage add thin --type lvm-thin --volume-group vg0 --thin-pool pool0')
  await script.type('(umask 077; head -c 64 /dev/urandom >vault.key)')
  const vault = '--type lvm-thin --volume-group vg0 --thin-pool pool0 --key-file vault.key'
  await script.type(`vmpkg storage add vault ${vault}`)
  await script.type('vmpkg storage add none --type lvm --volume-group vg9', { status: 100 })
  await script.type('vmpkg storage list')
  await script.type('virsh pool-list')
  const doctor = await script.type('vmpkg doctor --all | grep -A2 " storages:"')
  assert.match(doctor, /LVM does not extend the thin pool vg0\/pool0 by itself/)

  script.section('Machines', 'A clone is a qcow2 layer in a logical volume; nothing of the image is copied.')
  await script.type('vmpkg source add example /opt/registry --root-file /opt/registry/root/1.json && vmpkg update')
  const grants = `--grant network --grant pci --set uplink=pci:${WAN_ADDRESS} --no-start`
  await script.type('vmpkg host apply -y --unsafe-interrupts --run >/dev/null 2>&1; modprobe vfio-pci')
  await script.type(`vmpkg install -y router-uni app-console ${grants}`, { limitMs: SLOW_MS })
  for (const name of ['thick', 'thin', 'vault']) {
    await script.type(`vmpkg clone app-console --name on-${name} --storage ${name} --no-start`, { limitMs: SLOW_MS })
  }
  await script.type(LVS)
  assert.equal((await script.type(`${LVS} | grep -c vmpkg`)).trim(), '3')
  await script.type(
    'lvs --reportformat json --units b --nosuffix -o lv_name,lv_size,pool_lv,data_percent,metadata_percent,lv_attr vg0',
  )
  assert.match(await script.type('virsh vol-list vmpkg-thick'), /vmpkg\.thick\./)
  await script.type('virsh dumpxml on-vault | sed -n "/<disk type=.block/,/<\\/disk>/p"')
  await script.type('vmpkg gc --dry-run')

  script.section('They run', 'QEMU has the device, and the guest has written to it; afterwards qemu-img looks.')
  await script.type('vmpkg storage lock vault && vmpkg start on-vault', { limitMs: SLOW_MS })
  await script.type(WRITTEN('on-vault'), { limitMs: SLOW_MS })
  await script.type('ls -lL /dev/vg0/vmpkg.vault.*')
  await script.type('vmpkg set disk on-vault --disk vda --size 300MiB')
  await script.type('vmpkg stop --force on-vault && vmpkg start on-thin', { limitMs: SLOW_MS })
  await script.type(WRITTEN('on-thin'), { limitMs: SLOW_MS })
  await script.type('vmpkg stop --force on-thin', { limitMs: SLOW_MS })
  await script.type('for d in /dev/vg0/vmpkg.*; do qemu-img info $d | grep -E "virtual|encrypted"; done')
  await script.type('qemu-img check $(ls /dev/vg0/vmpkg.thin.*)')
  await script.type(LVS)

  script.section('What is refused', 'With the figures or the reason, before anything is written.')
  const before = await script.type(LVS)
  const full = await script.type('vmpkg clone app-console --name more --count 9 --storage thick --no-start', {
    status: 100,
    limitMs: SLOW_MS,
  })
  assert.match(full, /storage thick \(vg0\): \d+ MiB needed, \d+ MiB free \[NO_SPACE\]/)
  const shot = await script.type('vmpkg snapshot create on-thin', { status: 100 })
  assert.match(shot, /HOST_UNSUPPORTED/)
  await script.type('vmpkg backup on-vault --to /var/tmp/backups', { status: 100, limitMs: SLOW_MS })
  await script.type('vmpkg storage remove -y thin', { status: 100 })
  assert.equal(await script.type(LVS), before)

  script.section('A backup', 'Of a volume, and back as a file.')
  await script.type('vmpkg backup on-thin --to /var/tmp/backups', { limitMs: SLOW_MS })
  await script.type('vmpkg restore /var/tmp/backups/on-thin --name back', { limitMs: SLOW_MS })
  await script.type('virsh dumpxml back | sed -n "/<disk type=.file. device=.disk/,/<\\/disk>/p"')
  await script.type('vmpkg rm -y back')

  script.section(
    'A thin pool that is nearly full',
    'Filled by somebody else. Doctor warns beyond 90 %, and nothing is made beyond 95 %.',
  )
  await script.type('lvcreate -q -y --virtualsize 640M --thinpool pool0 --name fill vg0 2>/dev/null')
  await script.type('dd if=/dev/urandom of=/dev/vg0/fill bs=1M count=590 oflag=direct 2>&1 | tail -1', {
    limitMs: SLOW_MS,
  })
  assert.match(await script.type('vmpkg doctor --all | grep -A2 " storages:"'), /full to 9\d/)
  await script.type('dd if=/dev/urandom of=/dev/vg0/fill bs=1M seek=590 count=28 oflag=direct 2>&1 | tail -1')
  const crowded = await script.type('vmpkg clone app-console --name x --storage thin --no-start', { status: 100 })
  assert.match(crowded, /% of its data[^]*NO_SPACE/)
  await script.type('lvremove -q -y vg0/fill')

  script.section('Killed', 'Just after a volume was made, and just before one goes: the next command carries on.')
  const volumes = await script.type(LVS)
  await script.type(KILLING('lvcreate', '/usr/sbin/lvcreate \\"\\$@\\"; kill -9 \\$PPID'))
  await script.type('vmpkg clone app-console --name x --storage thick --no-start', { status: 137, limitMs: SLOW_MS })
  await script.type(`rm /usr/local/sbin/lvcreate; ${LVS}`)
  await script.type('vmpkg gc')
  assert.equal(await script.type(LVS), volumes)
  await script.type(KILLING('lvremove', 'kill -9 \\$PPID'))
  await script.type('vmpkg rm -y on-thick', { status: 137 })
  await script.type('rm /usr/local/sbin/lvremove; vmpkg gc')
  assert.equal((await script.type(`${LVS} | grep -c vmpkg`)).trim(), '2')

  const labels = await showLabels(script)

  script.section(
    'All given back',
    'No volume of vmpkg, no pool, no secret; what is somebody’s is as it was, and usable.',
  )
  await script.type('vmpkg rm -y on-thin on-vault')
  await script.type('for s in thick thin vault; do vmpkg storage remove -y $s; done')
  await script.type('virsh pool-list --all; virsh secret-list')
  const left = await script.type(`${QUIET} lvs --noheadings -o lv_name,lv_active vg0`)
  assert.deepEqual(
    left.split('\n').map((row) => row.trim().replaceAll(/\s+/g, ' ')),
    ['pool0 active', 'somebodys active'],
  )
  return (
    'Clones in thick, thin and encrypted thin volumes, two of them run, one grown while it ran; refusals with figures for a full ' +
    'group and a full pool; a backup restored as a file; killed after `lvcreate` and before `lvremove`, nothing left; other ' +
    `volumes of the group untouched. ${labels}`
  )
}

/** Who owns the device, and what AppArmor lets QEMU have, once libvirt confines it. */
async function showLabels(script: Transcript): Promise<string> {
  script.section('AppArmor', 'Its profiles loaded and libvirtd started anew: libvirt labels the device by itself.')
  await script.type(
    'mount -t securityfs none /sys/kernel/security 2>/dev/null; apparmor_parser -r /etc/apparmor.d/usr.sbin.libvirtd /etc/apparmor.d/usr.lib.libvirt.virt-aa-helper',
  )
  await script.type(
    'kill $(cat /run/libvirtd.pid); sleep 3; rm -f /run/libvirtd.pid; libvirtd -d; sleep 3; virsh capabilities | grep -A1 "<secmodel>"',
  )
  await script.type('vmpkg storage list')
  const started = await script.type('vmpkg start on-thin && echo started || true', { limitMs: SLOW_MS })
  if (!started.includes('started')) return 'AppArmor kept QEMU from its disk (see the page).'
  await script.type('cat /proc/$(cat /run/libvirt/qemu/on-thin.pid)/attr/current; ls -lL /dev/vg0/vmpkg.thin.*')
  await script.type(
    'grep -h vg0 /etc/apparmor.d/libvirt/libvirt-*.files || grep -h /dev/dm- /etc/apparmor.d/libvirt/libvirt-*.files || true',
  )
  await script.type(WRITTEN('on-thin'), { limitMs: SLOW_MS })
  await script.type('vmpkg stop --force on-thin')
  return 'Confined by AppArmor a machine has its volume and runs.'
}
