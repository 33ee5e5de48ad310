/**
 * Whether AppArmor fences guests in, and whether it lets them have what vmpkg made for them.
 *
 * Source: apparmor(7) and Linux' Documentation/admin-guide/LSM/apparmor.rst for the files; libvirt's drvqemu.rst,
 * "AppArmor security driver": virt-aa-helper writes a profile for each guest from its definition, and reads its disks to
 * find what lies below them.
 */
import { join } from 'node:path'
import { findElements, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { mayReadByRules } from './apparmor-rules.ts'
import { bad, type CheckResult, type DoctorHost, exists, notApplicable, ok, readText } from './doctor-check.ts'

export interface AppArmorSubject {
  /** Of the system's libvirt where this command uses it: only that one confines guests. */
  readonly capabilities: string | undefined
  readonly isSystem: boolean
  /** Files as vmpkg would make them: an image, an overlay. */
  readonly files: readonly string[]
}

const HELPER = 'usr.lib.libvirt.virt-aa-helper'

export async function checkAppArmor(host: DoctorHost, subject: AppArmorSubject): Promise<readonly CheckResult[]> {
  const isInForce = (await readText(host, '/sys/module/apparmor/parameters/enabled')) === 'Y'
  const reason = !isInForce
    ? 'it is not in force'
    : subject.isSystem
      ? undefined
      : 'only the system’s libvirt confines guests by it'
  const results: CheckResult[] = [await checkInstalled(host, isInForce)]
  if (reason !== undefined)
    return [
      ...results,
      ...['apparmor-profiles', 'apparmor-driver', 'apparmor-files'].map((id) => notApplicable('libvirt', id, reason)),
    ]
  return [
    ...results,
    await checkLoaded(host),
    await checkDriver(host, subject.capabilities),
    await checkFiles(host, subject.files),
  ]
}

async function checkInstalled(host: DoctorHost, isInForce: boolean): Promise<CheckResult> {
  if (!isInForce) return notApplicable('kernel', 'apparmor', 'it is not in force')
  if (await exists(host, '/etc/apparmor.d/abstractions/libvirt-qemu'))
    return ok('kernel', 'apparmor', 'it is in force, and libvirt’s profiles are installed')
  return bad('warning', 'kernel', 'apparmor', [
    'it is in force without libvirt’s profiles',
    'Guests are not confined, or not allowed to open their disks.',
    'Run: sudo apt-get install libvirt-daemon-system apparmor',
  ])
}

/** `virt-aa-helper (enforce)` a line; root alone may read it. */
async function checkLoaded(host: DoctorHost): Promise<CheckResult> {
  const text = await readText(host, '/sys/kernel/security/apparmor/profiles')
  if (text === undefined)
    return bad('unknown', 'libvirt', 'apparmor-profiles', [
      'which profiles are loaded is for root to see',
      'Whether guests are confined is not known.',
      'Run: sudo aa-status',
    ])
  const modes = new Map([...text.matchAll(/^(\S+)(?:.*) \((\w+)\)$/gm)].map(([, name = '', mode = '']) => [name, mode]))
  const helper = [...modes].find(([name]) => name.endsWith('virt-aa-helper'))
  if (helper === undefined)
    return bad('problem', 'libvirt', 'apparmor-profiles', [
      'the profile of virt-aa-helper is not loaded',
      'libvirt cannot make a profile for a guest: the start fails, or the guest runs unconfined.',
      'Run: sudo systemctl reload apparmor, and look with sudo aa-status.',
    ])
  if (helper[1] !== 'enforce')
    return bad('warning', 'libvirt', 'apparmor-profiles', [
      `the profile of virt-aa-helper is in ${helper[1]} mode`,
      'What it should not do is logged and done all the same.',
      `Run: sudo aa-enforce /etc/apparmor.d/${HELPER}`,
    ])
  const guests = [...modes.keys()].filter((name) => /^libvirt-[0-9a-f]{8}-/.test(name)).length
  return ok('libvirt', 'apparmor-profiles', `virt-aa-helper’s is enforced, and profiles of ${guests} guests are loaded`)
}

/** What libvirt itself says it confines guests with; its configuration where it was not asked. */
async function checkDriver(host: DoctorHost, capabilities: string | undefined): Promise<CheckResult> {
  const why = 'A guest that breaks out of QEMU has all that QEMU’s user has.'
  const fix = 'Take security_driver out of /etc/libvirt/qemu.conf and restart libvirtd.'
  const conf = (await readText(host, '/etc/libvirt/qemu.conf')) ?? ''
  const chosen = /^\s*security_driver\s*=\s*(.+)$/m.exec(conf)?.[1]
  if (capabilities === undefined) {
    if (chosen !== undefined && !/apparmor/.test(chosen))
      return bad('warning', 'libvirt', 'apparmor-driver', [`qemu.conf says security_driver = ${chosen}`, why, fix])
    return ok('libvirt', 'apparmor-driver', 'qemu.conf does not switch it off; libvirt was not asked')
  }
  const models = findElements(parseXml(capabilities).root, 'host/secmodel/model').map(getText)
  if (models.includes('apparmor')) return ok('libvirt', 'apparmor-driver', 'libvirt confines guests by AppArmor')
  const instead = models.length === 0 ? 'nothing' : models.join(', ')
  const said = chosen === undefined ? '' : ` (qemu.conf says security_driver = ${chosen})`
  return bad('warning', 'libvirt', 'apparmor-driver', [
    `libvirt separates guests by ${instead} and not by AppArmor${said}`,
    why,
    chosen === undefined ? 'Restart libvirtd now that AppArmor is in force: sudo systemctl restart libvirtd' : fix,
  ])
}

/** The disk and the medium of a guest are in its definition, and so in its profile; what lies below has to be read. */
async function checkFiles(host: DoctorHost, files: readonly string[]): Promise<CheckResult> {
  const [profile, local = ''] = await Promise.all(
    [HELPER, `local/${HELPER}`].map((name) => readText(host, join('/etc/apparmor.d', name))),
  )
  if (profile === undefined) return notApplicable('libvirt', 'apparmor-files', 'there is no profile of virt-aa-helper')
  const verdicts = files.map((file) => ({ file, verdict: mayReadByRules([profile, local], file) }))
  const why =
    'It reads the disks of a guest to find what lies below them; what it does not find is closed to the guest.'
  const denied = verdicts.find(({ verdict }) => verdict === 'denied')
  if (denied !== undefined)
    return bad('warning', 'libvirt', 'apparmor-files', [
      `AppArmor denies virt-aa-helper to read ${denied.file}`,
      why,
      'A local addition cannot undo that: keep the state below /var/lib, with --root.',
    ])
  const missing = verdicts.find(({ verdict }) => verdict === 'not named')
  if (missing === undefined) return ok('libvirt', 'apparmor-files', 'virt-aa-helper may read vmpkg’s images')
  const folder = missing.file.slice(0, missing.file.lastIndexOf('/'))
  return bad('warning', 'libvirt', 'apparmor-files', [
    `AppArmor does not let virt-aa-helper read ${folder}`,
    why,
    `Write ${folder}/** r, into /etc/apparmor.d/local/${HELPER} and run: sudo apparmor_parser -r /etc/apparmor.d/${HELPER}`,
  ])
}
