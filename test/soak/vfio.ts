/**
 * Real VFIO: on a host with an emulated IOMMU (test/support/passthrough-host.ts) a router whose WAN is a card of that
 * host, and a client behind it. What was typed and what it said becomes docs/passthrough-proof.md.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAcknowledged } from '../support/dhcp-capture.ts'
import { PAGE, SHARED_ADDRESSES, startPassthroughHost, WAN_ADDRESS, WAN_MAC } from '../support/passthrough-host.ts'
import { withoutPassthroughHost } from '../support/passthrough-image.ts'
import { Transcript } from '../support/transcript.ts'

const TRANSCRIPT = join(import.meta.dirname, '..', '..', 'docs', 'passthrough-proof.md')
const HEAD = `# Passthrough, proved

\`npm run soak -- vfio\` wrote this page. It brings up a host with an emulated IOMMU: a Debian 12 guest of QEMU without KVM,
with its own kernel, libvirt and QEMU, and vmpkg compiled from this checkout. All that follows was typed there by the
script, which checks each answer; what came on standard error stands below what came on standard output. The times are those
of emulation within emulation: a boot of the router, seven seconds on the machine itself, takes some minutes there.

- \`${WAN_ADDRESS}\` is a card alone in its group. At its other end QEMU has a DHCP server (10.0.2.2) and a web server (10.0.2.100).
- \`${SHARED_ADDRESSES.join('` and `')}\` are two cards behind one conventional bridge: they share a group.
`
/** Guests of guests without KVM take minutes to start. */
const SLOW_MS = 1_500_000
const PATIENCE = '--timeout 1200'
const DRIVER = `basename "$(readlink -f /sys/bus/pci/devices/${WAN_ADDRESS}/driver)"`
const CONFIGURATION = `find /etc -type f | sort | xargs sha256sum | sha256sum`

/** Throws at the first answer that is not the right one. @returns the figures in Markdown */
export async function soakVfio(): Promise<string> {
  if (withoutPassthroughHost !== false) throw new Error(withoutPassthroughHost)
  const began = performance.now()
  await using host = await startPassthroughHost(['router-uni', 'app-console'])
  const bootSeconds = (performance.now() - began) / 1000
  const script = new Transcript(host)

  script.section('The host', 'Its IOMMU groups, and what vmpkg says of it.')
  await script.type('uname -sr; virsh version --daemon | tail -2')
  const devices = await script.type('vmpkg devices --pci')
  assert.match(devices, new RegExp(`${WAN_ADDRESS}\\s.*\\svirtio-pci\\s`))
  const doctor = await script.type('vmpkg doctor --all || true')
  const [, groups] = /iommu: it is on, with (\d+) groups/.exec(doctor) ?? []
  assert.equal(groups, await script.type('ls /sys/kernel/iommu_groups | wc -l'))
  assert.match(doctor, /connection: the system’s libvirt serves/)
  // Nothing has opened a tap yet, and no systemd made the device; doctor says so.
  await script.type('modprobe tun')

  script.section(
    'A card for vfio-pci and back',
    'The card’s driver before, while and after, and a digest of all files in /etc. No systemd runs here, which `--run` tells.',
  )
  const before = await script.type(CONFIGURATION)
  assert.equal(await script.type(DRIVER), 'virtio-pci')
  const wishes = `--device ${WAN_ADDRESS} --unsafe-interrupts`
  await script.type(`vmpkg host plan ${wishes}`)
  const applied = await script.type(`vmpkg host apply -y ${wishes} --bind --run`)
  assert.match(applied, /Skipped systemctl daemon-reload/)
  assert.equal(await script.type(DRIVER), 'vfio-pci')
  await script.type('vmpkg host undo -y --run')
  assert.equal(await script.type(DRIVER), 'virtio-pci')
  assert.equal(await script.type(CONFIGURATION), before)

  script.section('A card that shares its group', 'It is refused, and every mate is named.')
  const refusal = await script.type(`vmpkg host plan --device ${SHARED_ADDRESSES[0]}`, { status: 100 })
  assert.ok(refusal.includes(SHARED_ADDRESSES[1]), refusal)

  script.section(
    'A router on the card',
    'This emulated IOMMU does not remap interrupts, so VFIO has to be told that it may go on. The router boots in emulation within emulation: it gets more time than its package says.',
  )
  await script.type('vmpkg host apply -y --unsafe-interrupts --run')
  const unsafe = 'modprobe vfio_iommu_type1; cat /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts'
  assert.equal(await script.type(unsafe), 'Y')
  await script.type('vmpkg source add example /opt/registry --root-file /opt/registry/root/1.json && vmpkg update')
  const grants = `--grant network --grant pci --set uplink=pci:${WAN_ADDRESS}`
  await script.type(`vmpkg install -y router-uni app-console ${grants} ${PATIENCE}`, { limitMs: SLOW_MS })
  assert.equal(await script.type(DRIVER), 'vfio-pci')
  await script.type(`virsh dumpxml router-uni | sed -n "/<hostdev/,/<\\/hostdev/p"`)
  const status = await script.type('vmpkg status router-uni --json --timeout 300', { limitMs: SLOW_MS })
  const { machines } = JSON.parse(status) as { machines: readonly Record<string, unknown>[] }
  const [wanAddress = ''] = readAcknowledged(await host.wanCapture(), WAN_MAC).slice(-1)
  assert.ok(wanAddress !== '', 'no lease was acknowledged at the other end of the card')
  const [{ rules, lanLink, wanAddress: told } = {}] = machines
  assert.deepEqual({ rules, lanLink, told }, { rules: 'attested', lanLink: 'up', told: wanAddress })
  script.note(`At the other end of the card the DHCP server acknowledged ${wanAddress} to ${WAN_MAC}.`)

  script.section('A client behind the router', 'Its lease is the router’s; the page lies beyond the card.')
  const client = await script.type(`vmpkg clone app-console --name client --ephemeral --wait ${PATIENCE}`, {
    limitMs: SLOW_MS,
  })
  const [lease = ''] = /\b10\.1\.1\.\d+/.exec(client) ?? []
  assert.ok(lease !== '', client)
  const fetched = await script.type(`echo "fetch http://10.0.2.100:80/" | vmpkg console client --silence 60`, {
    limitMs: SLOW_MS,
  })
  assert.ok(fetched.includes(PAGE), fetched)

  script.section('All given back', 'No machine, no network, and the card with its driver.')
  await script.type('vmpkg stop client; vmpkg remove -y app-console router-uni', { limitMs: SLOW_MS })
  assert.equal(await script.type(DRIVER), 'virtio-pci')
  assert.equal(await script.type('virsh -q list --all'), '')
  assert.doesNotMatch(await script.type('virsh -q net-list --all'), /uni0/)
  await script.type('vmpkg host undo -y --run')

  await writeFile(TRANSCRIPT, `${HEAD}\n${script.text()}`)
  const seconds = Math.round((performance.now() - began) / 1000)
  return [
    `Groups read, card bound and given back, mate of a shared group named, ${wanAddress} leased to the router through its card, ` +
      `${lease} leased by it to a client that fetched a page through it, everything given back.`,
    '',
    `${seconds} s, of which ${bootSeconds.toFixed(0)} s until the host was up.`,
  ].join('\n')
}
