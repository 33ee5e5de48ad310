import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseQemuConf, parseUserIds } from '../../src/host/qemu-user.ts'

const PASSWD =
  'root:x:0:0:root:/root:/bin/bash\nlibvirt-qemu:x:64055:104:Libvirt Qemu,,,:/var/lib/libvirt:/usr/sbin/nologin\n'
const GROUP = 'kvm:x:104:libvirt-qemu,ann\nlibvirt-qemu:x:64055:libvirt-qemu\nann:x:1000:\n'

test('without a setting QEMU runs as Debian’s user, and libvirt gives it its files', () => {
  assert.deepEqual(parseQemuConf('#user = "root"\n# dynamic_ownership = 1\n'), {
    user: 'libvirt-qemu',
    changesOwners: true,
  })
})

test('the settings of qemu.conf count', () => {
  assert.deepEqual(parseQemuConf('user = "+1000" # me\ndynamic_ownership = 0\n'), {
    user: '+1000',
    changesOwners: false,
  })
})

test('a user’s groups are the own one and all that list it', () => {
  assert.deepEqual(parseUserIds('libvirt-qemu', PASSWD, GROUP), { uid: 64_055, gids: [104, 64_055] })
  assert.deepEqual(parseUserIds('+0', PASSWD, GROUP), { uid: 0, gids: [0] })
  assert.equal(parseUserIds('nobody', PASSWD, GROUP), undefined)
})
