import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayReadByRules } from '../../src/host/apparmor-rules.ts'

const PROFILE = `profile helper /usr/lib/helper {
  #include <abstractions/base>
  capability dac_read_search,
  network inet,
  audit deny @{HOME}/.*/** mrwkl,
  @{HOME}/ r,
  @{HOME}/** r,
  owner @{PROC}/[0-9]*/status r,
  /{media,mnt,opt,srv}/** r,
  /**.qcow{,2} r,
  /**.[iI][sS][oO] r,
  /var/log/*.log w,
  /var/spool/? r,
  "/srv/with space" r,
  /usr/bin/parser Ux,
}`

for (const [path, verdict] of [
  ['/home/ann/vm/disk', 'allowed'],
  ['/root/disk', 'allowed'],
  ['/home/ann/.local/share/vm/disk.qcow2', 'denied'],
  ['/srv/a/b', 'allowed'],
  ['/var/lib/x/overlay.qcow2', 'allowed'],
  ['/var/lib/x/overlay.qcow', 'allowed'],
  ['/var/lib/x/overlay.qcow3', 'not named'],
  ['/var/lib/x/a.IsO', 'allowed'],
  ['/var/lib/x/disk', 'not named'],
  ['/var/log/a.log', 'not named'],
  ['/proc/12/status', 'allowed'],
  ['/var/spool/a', 'allowed'],
  ['/var/spool/ab', 'not named'],
] as const) {
  test(`${path} is ${verdict}`, () => {
    assert.equal(mayReadByRules([PROFILE], path), verdict)
  })
}

test('a local addition allows what nothing names, and cannot undo a deny', () => {
  const local = '# ours\n/var/lib/x/** r,\n/home/** r,\n'
  assert.equal(mayReadByRules([PROFILE, local], '/var/lib/x/disk'), 'allowed')
  assert.equal(mayReadByRules([PROFILE, local], '/home/ann/.local/disk'), 'denied')
})
