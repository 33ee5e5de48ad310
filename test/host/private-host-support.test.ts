import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  checkPrivateHostSupport,
  explainClosedNamespaces,
  hasSubordinateIds,
  isClosed,
} from '../../src/host/private-host-support.ts'
import { checkTools } from '../../src/host/tools.ts'
import type { Processes } from '../../src/ports.ts'
import { privateHostMissing } from '../support/private-host.ts'

const open = { unprivilegedClone: '1', appArmorRestricts: '0', maxUserNamespaces: '1000' }

describe('checkPrivateHostSupport', { skip: await privateHostMissing() }, () => {
  test('refuses where the kernel refuses namespaces, with what was said', async () => {
    const refusing: Processes = {
      run: async () =>
        Promise.resolve({ exitCode: 1, stdout: '', stderr: 'unshare failed: Operation not permitted\n' }),
    }
    await assert.rejects(checkPrivateHostSupport({ processes: refusing, rootless: false, uplink: 'none' }), {
      code: 'PRIVATE_HOST_FAILED',
      message: /Operation not permitted/,
      hint: /CAP_SYS_ADMIN/,
    })
  })
})

describe('checkTools', () => {
  test('names every missing program and each package once', async () => {
    await assert.rejects(
      checkTools(['tini', 'libvirtd', 'virtlogd'], async () => Promise.resolve(undefined)),
      {
        code: 'TOOL_MISSING',
        message: /tini, libvirtd, virtlogd/,
        hint: 'Run: sudo apt-get install libvirt-daemon tini',
      },
    )
  })
})

test('settings of the kernel alone say that there are no namespaces', () => {
  assert.equal(isClosed(open), false)
  for (const closed of [{ unprivilegedClone: '0' }, { maxUserNamespaces: '0' }, { appArmorRestricts: '1' }])
    assert.equal(isClosed({ ...open, ...closed }), true)
})

describe('explainClosedNamespaces', () => {
  test('names the setting that forbids them', () => {
    assert.match(explainClosedNamespaces({ ...open, unprivilegedClone: '0' }, true), /unprivileged_userns_clone=1/)
    assert.match(explainClosedNamespaces({ ...open, maxUserNamespaces: '0' }, true), /max_user_namespaces/)
    assert.match(explainClosedNamespaces({ ...open, appArmorRestricts: '1' }, true), /apparmor_restrict/)
    assert.match(explainClosedNamespaces(open, true), /newuidmap/)
    assert.match(explainClosedNamespaces(open, false), /container/)
  })
})

describe('hasSubordinateIds', () => {
  test('takes a range of the name or of the number, of 65 536 ids at least', () => {
    assert.equal(hasSubordinateIds('other:1:65536\nann:100000:65536\n', 'ann', 1000), true)
    assert.equal(hasSubordinateIds('1000:100000:70000', 'ann', 1000), true)
    assert.equal(hasSubordinateIds('ann:100000:65535', 'ann', 1000), false)
    assert.equal(hasSubordinateIds('anna:100000:65536', 'ann', 1000), false)
    assert.equal(hasSubordinateIds('ann:100000', 'ann', 1000), false)
    assert.equal(hasSubordinateIds('', 'ann', 1000), false)
  })
})
