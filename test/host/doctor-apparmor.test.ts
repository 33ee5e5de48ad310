/** Over files as a Debian host with AppArmor has them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppArmorSubject, checkAppArmor } from '../../src/host/doctor-apparmor.ts'
import { makeDoctorHost } from '../support/doctor-tree.ts'

const PROFILES = '/sys/kernel/security/apparmor/profiles'
const HELPER = '/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper'
const LOCAL = '/etc/apparmor.d/local/usr.lib.libvirt.virt-aa-helper'
const WELL: Readonly<Record<string, string>> = {
  '/sys/module/apparmor/parameters/enabled': 'Y\n',
  '/etc/apparmor.d/abstractions/libvirt-qemu': '',
  [PROFILES]:
    '/usr/sbin/chronyd (enforce)\nlibvirt-6b1e8a4f-1df3-4e5b-9d0e-1a2b3c4d5e6f (enforce)\nvirt-aa-helper (enforce)\nlibvirtd//qemu_bridge_helper (enforce)\nlibvirtd (enforce)\n',
  [HELPER]:
    'profile virt-aa-helper /usr/lib/libvirt/virt-aa-helper {\n  audit deny @{HOME}/.*/** mrwkl,\n  @{HOME}/** r,\n  /**.qcow{,2} r,\n}\n',
  [LOCAL]: '/var/lib/vmpkg/** r,\n',
}
const secmodel = (...models: readonly string[]): string =>
  `<capabilities><host>${models.map((one) => `<secmodel><model>${one}</model><doi>0</doi></secmodel>`).join('')}</host></capabilities>`
const SUBJECT: AppArmorSubject = {
  isSystem: true,
  capabilities: secmodel('apparmor', 'dac'),
  files: ['/var/lib/vmpkg/images/0000', '/var/lib/vmpkg/connections/system/overlays/machine.qcow2'],
}

test('where libvirt confines guests and its helper reads what vmpkg makes, all is well', async (t) => {
  const checks = await checkAppArmor(await makeDoctorHost(t, WELL), SUBJECT)
  assert.deepEqual(
    checks.map(({ id, status }) => `${id} ${status}`),
    ['apparmor ok', 'apparmor-profiles ok', 'apparmor-driver ok', 'apparmor-files ok'],
  )
  assert.match(checks[1]?.seen ?? '', /profiles of 1 guests/)
})

type Change = Readonly<Record<string, string | undefined>>

const CASES: readonly (readonly [
  id: string,
  status: string,
  change: Change,
  subject: Partial<AppArmorSubject>,
  said: RegExp,
])[] = [
  ['apparmor', 'warning', { '/etc/apparmor.d/abstractions/libvirt-qemu': undefined }, {}, /libvirt-daemon-system/],
  ['apparmor', 'not-applicable', { '/sys/module/apparmor/parameters/enabled': 'N\n' }, {}, /not in force/],
  ['apparmor-files', 'not-applicable', { '/sys/module/apparmor/parameters/enabled': 'N\n' }, {}, /not in force/],
  ['apparmor-driver', 'not-applicable', {}, { isSystem: false }, /only the system/],
  ['apparmor-profiles', 'unknown', { [PROFILES]: undefined }, {}, /aa-status/],
  ['apparmor-profiles', 'problem', { [PROFILES]: 'libvirtd (enforce)\n' }, {}, /reload apparmor/],
  [
    'apparmor-profiles',
    'warning',
    { [PROFILES]: '/usr/lib/libvirt/virt-aa-helper (complain)\n' },
    {},
    /complain mode.*aa-enforce/s,
  ],
  ['apparmor-driver', 'warning', {}, { capabilities: secmodel('none', 'dac') }, /by none, dac.*restart libvirtd/s],
  [
    'apparmor-driver',
    'warning',
    { '/etc/libvirt/qemu.conf': 'security_driver = "none"\n' },
    { capabilities: secmodel('none') },
    /qemu\.conf says security_driver = "none".*Take security_driver out/s,
  ],
  [
    'apparmor-driver',
    'warning',
    { '/etc/libvirt/qemu.conf': 'security_driver = [ "dac" ]\n' },
    { capabilities: undefined },
    /security_driver = \[ "dac" \]/,
  ],
  [
    'apparmor-driver',
    'ok',
    { '/etc/libvirt/qemu.conf': '#security_driver = "none"\n' },
    { capabilities: undefined },
    /not asked/,
  ],
  [
    'apparmor-files',
    'warning',
    { [LOCAL]: undefined },
    {},
    /does not let virt-aa-helper read \/var\/lib\/vmpkg\/images.*Write \/var\/lib\/vmpkg\/images\/\*\* r,/s,
  ],
  [
    'apparmor-files',
    'warning',
    {},
    { files: ['/home/ann/.local/share/vmpkg/images/0000'] },
    /denies virt-aa-helper.*keep the state below \/var\/lib/s,
  ],
  ['apparmor-files', 'not-applicable', { [HELPER]: undefined }, {}, /no profile/],
]

for (const [id, status, change, subject, said] of CASES)
  test(`${id} is ${status}: ${said.source}`, async (t) => {
    const files = Object.fromEntries(
      Object.entries({ ...WELL, ...change }).flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])),
    )
    const check = (await checkAppArmor(await makeDoctorHost(t, files), { ...SUBJECT, ...subject })).find(
      (one) => one.id === id,
    )
    assert.equal(check?.status, status)
    assert.match(`${check?.seen} ${check?.why ?? ''} ${check?.fix ?? ''}`, said)
  })
