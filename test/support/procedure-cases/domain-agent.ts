/** Domains: what Debian's own qemu-guest-agent answers, in a small Linux that runs under TCG. */
import assert from 'node:assert/strict'
import type { Domain } from '../../../src/libvirt/domain.ts'
import { guestXml } from '../guest-xml.ts'
import { realProcesses } from '../real-processes.ts'
import type { Exercise } from './exercise.ts'

const AGENT = 'org.qemu.guest_agent.0'
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5vbmUgb2YgdGhpcyBpcyBhIGtleSBvZiBhbnlvbmUh test'

function agentGuestXml(guest: { readonly kernel: string; readonly initrd: string }, disk: string): string {
  return `<domain type='qemu'>
  <name>agent</name>
  <memory unit='MiB'>192</memory>
  <vcpu current='2'>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${guest.kernel}</kernel><initrd>${guest.initrd}</initrd><cmdline>console=ttyS0 panic=-1 quiet</cmdline></os>
  <features><acpi/></features>
  <pm><suspend-to-mem enabled='yes'/></pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
    <channel type='unix'><target type='virtio' name='${AGENT}'/></channel>
    <watchdog model='i6300esb' action='none'/>
    <serial type='pty'/>
  </devices>
</domain>`
}

export async function asksItsAgent(x: Exercise): Promise<void> {
  const guest = x.daemon.agentGuest
  if (guest === undefined) return askWithoutAgent(x)
  const disk = await x.daemon.makeFile('agent.raw', Buffer.alloc(16 * 1_048_576))
  const made = await realProcesses.run('mkfs.ext4', ['-q', disk])
  assert.equal(made.exitCode, 0, made.stderr)
  const domain = await x.connect.domainCreateXML({ xml: agentGuestXml(guest, disk) })
  const own = (event: { readonly domain: Domain; readonly state?: string }) =>
    event.domain.uuid === domain.uuid && event.state !== 'disconnected'
  await x.events.until('domain.agentLifecycle', own)
  await domain.setBlockThreshold({ dev: 'vda', threshold: 100n })
  await ask(x, domain)
  await domain.setMemory({ memory: 180_224n, flags: ['live'] })
  for (const name of ['blockThreshold', 'rtcChange', 'balloonChange', 'watchdog'] as const)
    await x.events.until(`domain.${name}`, own)
  await x.tries(domain.pmSuspendForDuration({ target: 'mem' }))
  await x.events.until('domain.pmSuspend', own)
  await x.tries(domain.pmWakeup())
  await x.events.until('domain.pmWakeup', own)
  await domain.destroy()
}

/** The same questions to a guest that has none: each is refused. */
async function askWithoutAgent(x: Exercise): Promise<void> {
  const domain = await x.connect.domainCreateXML({ xml: guestXml({ name: 'agentless' }), flags: ['paused'] })
  await ask(x, domain)
  await x.tries(domain.pmSuspendForDuration({ target: 'mem' }))
  await x.tries(domain.pmWakeup())
  await domain.destroy()
}

async function ask(x: Exercise, domain: Domain): Promise<void> {
  await x.tries(domain.agentCommand({ command: '{"execute":"guest-ping"}' }), (answer) =>
    assert.deepEqual(JSON.parse(answer ?? ''), { return: {} }),
  )
  await x.tries(domain.getGuestInfo({ types: ['os', 'hostname', 'filesystem'] }), (info) => {
    assert.equal(info['os.id'], 'agentguest')
    assert.equal(info['fs.0.mountpoint'], '/mnt')
  })
  await x.tries(domain.getHostname({ flags: ['agent'] }), (name) => assert.equal(name, 'agent-guest'))
  await x.tries(domain.getFSInfo(), (systems) => assert.equal(systems[0]?.mountpoint, '/mnt'))
  await x.tries(domain.fsFreeze(), (frozen) => assert.equal(frozen, 1))
  await x.tries(domain.fsThaw(), (thawed) => assert.equal(thawed, 1))
  await x.tries(domain.fsTrim())
  await x.tries(domain.getTime(), ({ seconds }) => assert.ok(seconds > 1_000_000_000n))
  await x.tries(domain.setTime({ seconds: 1_700_000_000n, nseconds: 0 }))
  await x.tries(domain.setUserPassword({ user: 'root', password: '$6$salt$hash', flags: ['encrypted'] }))
  await x.tries(domain.authorizedSSHKeysSet({ user: 'root', keys: [KEY] }))
  await x.tries(domain.authorizedSSHKeysGet({ user: 'root' }), (keys) => assert.deepEqual(keys, [KEY]))
  await x.tries(domain.getGuestVcpus(), (read) => assert.equal(read['vcpus'], '0-1'))
  await x.tries(domain.setGuestVcpus({ cpumap: '1', state: false }))
  await x.tries(domain.interfaceAddresses({ source: 'agent' }), (found) =>
    assert.ok(found.some(({ name }) => name === 'lo')),
  )
}
