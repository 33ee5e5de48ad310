/** QEMU, libvirt, its helpers and firmware, as Debian installs them (`dpkg -S` on Debian 12 and 13). */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  bad,
  type CheckResult,
  type DoctorHost,
  exists,
  findProgram,
  isOpen,
  listFolder,
  notApplicable,
  ok,
  readText,
} from './doctor-check.ts'
import { listFirmware, parseEmulatorVersion } from './emulator.ts'
import { inspectSocket } from './preflight.ts'

const HELPERS = ['/usr/lib/qemu', '/usr/libexec', '/usr/lib/libvirt']

export async function checkLibvirt(host: DoctorHost, connection: string): Promise<readonly CheckResult[]> {
  const groups = await Promise.all([
    checkEmulator(host),
    checkDaemon(host),
    checkSockets(host, connection),
    checkGroups(host),
    checkFirmware(host),
    checkBridgeHelper(host),
  ])
  return [...groups.flat(), ...(await checkHelpers(host))]
}

async function versionOf(host: DoctorHost, program: string): Promise<string> {
  const result = await host.processes
    .run(program, ['--version'], { env: { PATH: host.path, LANG: 'C' }, timeoutMs: 5_000 })
    .catch(() => undefined)
  return result?.stdout.trim().split('\n')[0] ?? ''
}

async function checkEmulator(host: DoctorHost): Promise<CheckResult> {
  const program = await findProgram(host, 'qemu-system-x86_64')
  if (program === undefined)
    return bad('problem', 'libvirt', 'qemu', [
      'qemu-system-x86_64 is not installed',
      'Nothing runs guests.',
      'Run: sudo apt-get install qemu-system-x86 qemu-utils',
    ])
  const text = await versionOf(host, program)
  const version = parseEmulatorVersion(text)
  if (version === undefined)
    return bad('problem', 'libvirt', 'qemu', [
      `${program} does not tell its version`,
      'It is broken or half installed.',
      'Run: sudo apt-get install --reinstall qemu-system-x86',
    ])
  return ok('libvirt', 'qemu', `QEMU ${version}`)
}

async function checkDaemon(host: DoctorHost): Promise<CheckResult> {
  const program = (await findProgram(host, 'libvirtd')) ?? (await findProgram(host, 'virtqemud'))
  if (program === undefined)
    return bad('problem', 'libvirt', 'libvirt', [
      'no libvirt daemon is installed',
      'vmpkg speaks to libvirt, also in private hosts.',
      'Run: sudo apt-get install libvirt-daemon-system',
    ])
  const version = /(\d+)\.(\d+)(?:\.\d+)?\s*$/.exec(await versionOf(host, program))
  if (version === null)
    return bad('unknown', 'libvirt', 'libvirt', [
      `${program} does not tell its version`,
      'What it can do is not known.',
      'Run: sudo apt-get install --reinstall libvirt-daemon',
    ])
  if (Number(version[1]) >= 9) return ok('libvirt', 'libvirt', `libvirt ${version[0].trim()}`)
  return bad('warning', 'libvirt', 'libvirt', [
    `libvirt ${version[0].trim()} is older than 9.0`,
    'vmpkg is tested with 9.0 and later (Debian 12).',
    'Use a newer release of the distribution.',
  ])
}

async function checkSockets(host: DoctorHost, connection: string): Promise<CheckResult> {
  const paths = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']
  const states = await Promise.all(paths.map((path) => inspectSocket(join(host.root, path))))
  const chosen = `this command uses ${connection}`
  if (states.includes('serving')) return ok('libvirt', 'connection', `the system’s libvirt serves; ${chosen}`)
  const why = 'vmpkg uses a private host of your own instead.'
  if (states.includes('closed'))
    return bad('warning', 'libvirt', 'connection', [
      `the system’s libvirt is closed to this user; ${chosen}`,
      why,
      `Run: sudo usermod -aG libvirt ${host.userName}, then log in again.`,
    ])
  if (states.includes('silent'))
    return bad('problem', 'libvirt', 'connection', [
      `the system’s libvirt does not answer; ${chosen}`,
      'Its socket is there, and nobody serves it.',
      'Run: sudo systemctl restart libvirtd',
    ])
  return ok('libvirt', 'connection', `the system’s libvirt does not run; ${chosen}`)
}

async function checkGroups(host: DoctorHost): Promise<CheckResult> {
  if (host.uid === 0) return notApplicable('libvirt', 'groups', 'root needs none')
  const lines = ((await readText(host, '/etc/group')) ?? '').split('\n').map((line) => line.split(':'))
  const wanted = lines.filter(([name = '']) => ['libvirt', 'kvm'].includes(name))
  // Of the running process, so that a group joined since the log-in counts as missing still.
  const own = /^Groups:\s*(.*)$/m.exec((await readText(host, '/proc/self/status')) ?? '')?.[1]?.split(/\s+/) ?? []
  const missing = wanted.filter(([, , id = '']) => !own.includes(id)).map(([name = '']) => name)
  if (missing.length === 0)
    return ok('libvirt', 'groups', `this user is in ${wanted.map(([name]) => name).join(' and ') || 'all there are'}`)
  return bad('warning', 'libvirt', 'groups', [
    `this user is not in ${missing.join(', ')}`,
    'The group libvirt opens the system’s libvirt, kvm opens /dev/kvm.',
    `Run: sudo usermod -aG ${missing.join(',')} ${host.userName}, then log in again.`,
  ])
}

async function checkFirmware(host: DoctorHost): Promise<readonly CheckResult[]> {
  const found = await listFirmware(join(host.root, '/usr/share/qemu/firmware'))
  if (found.length === 0)
    return [
      bad('warning', 'libvirt', 'firmware', [
        'no UEFI firmware is installed',
        'Images that boot by UEFI do not start.',
        'Run: sudo apt-get install ovmf',
      ]),
      notApplicable('libvirt', 'firmware-secure-boot', 'there is no UEFI firmware'),
    ]
  return [
    ok('libvirt', 'firmware', `${found.length} UEFI firmwares`),
    found.some(({ secureBoot }) => secureBoot)
      ? ok('libvirt', 'firmware-secure-boot', 'one with secure boot is there')
      : bad('warning', 'libvirt', 'firmware-secure-boot', [
          'none has secure boot',
          'Windows 11 asks for it.',
          'Run: sudo apt-get install ovmf',
        ]),
  ]
}

async function checkBridgeHelper(host: DoctorHost): Promise<CheckResult> {
  const program = await findProgram(host, 'qemu-bridge-helper', HELPERS)
  const why = 'Guests of a session libvirt get onto a bridge by it; the system’s and private hosts do not need it.'
  if (program === undefined) return notApplicable('libvirt', 'bridge-helper', 'it is not installed')
  const { mode } = await stat(program)
  const config = (await readText(host, '/etc/qemu/bridge.conf')) ?? ''
  if ((mode & 0o4000) === 0)
    return bad('warning', 'libvirt', 'bridge-helper', [
      `${program} is not setuid root`,
      why,
      `Run: sudo chown root:libvirt ${program} && sudo chmod 4750 ${program}`,
    ])
  if (/^\s*allow\s+all\b/m.test(config))
    return bad('warning', 'libvirt', 'bridge-helper', [
      '/etc/qemu/bridge.conf allows every bridge',
      'Any user of the helper can join any network of the host.',
      'Name the bridges: allow virbr0',
    ])
  return ok(
    'libvirt',
    'bridge-helper',
    /^\s*allow\s/m.test(config) ? 'it is set up' : 'it is setuid, and allows no bridge',
  )
}

async function checkHelpers(host: DoctorHost): Promise<readonly CheckResult[]> {
  const one = async (name: string, what: string, packages: string): Promise<CheckResult> => {
    const descriptors = name === 'virtiofsd' ? await listFolder(host, '/usr/share/qemu/vhost-user') : []
    const found = (await findProgram(host, name, HELPERS)) ?? descriptors.find((file) => file.includes(name))
    return found === undefined
      ? bad('warning', 'libvirt', name, [
          'it is not installed',
          `Only guests with ${what} need it.`,
          `Run: sudo apt-get install ${packages}`,
        ])
      : ok('libvirt', name, 'it is installed')
  }
  const vsock = (await exists(host, '/dev/vhost-vsock')) && (await isOpen(host, '/dev/vhost-vsock'))
  return [
    await one('swtpm', 'an emulated TPM', 'swtpm swtpm-tools'),
    await one('virtiofsd', 'a shared folder', 'virtiofsd'),
    await one('passt', 'user networking by passt', 'passt'),
    await one('dnsmasq', 'a libvirt network that gives addresses', 'dnsmasq-base'),
    vsock
      ? ok('libvirt', 'vsock', '/dev/vhost-vsock is open')
      : bad('warning', 'libvirt', 'vsock', [
          '/dev/vhost-vsock is not there or closed',
          'Only guests with a vsock need it.',
          'Run: sudo modprobe vhost_vsock',
        ]),
  ]
}
