import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLocal, isSession, privateHostName } from '../../src/operations/connection-name.ts'

test('private hosts are told from libvirt URIs, and the default one has a name', () => {
  const names = ['private', 'private:lab', 'private:', 'qemu:///system', 'privateer', 'qemu+ssh://private:x/system']
  assert.deepEqual(names.map(privateHostName), ['default', 'lab', '', undefined, undefined, undefined])
})

test('a private host and a URI without a host are on this machine, others are not', () => {
  for (const local of [
    'private',
    'private:lab',
    'qemu:///system',
    'qemu+unix:///system?socket=/x',
    'qemu:///session',
  ]) {
    assert.equal(isLocal(local), true, local)
  }
  for (const remote of ['qemu+ssh://host/system', 'qemu://host/system', 'qemu+tls:///system', '']) {
    assert.equal(isLocal(remote), false, remote)
  }
})

test('a session is told from a system’s libvirt, and is one of this machine', () => {
  for (const session of ['qemu:///session', 'qemu+unix:///session', 'qemu:///session?socket=/x']) {
    assert.equal(isSession(session), true, session)
  }
  for (const other of ['qemu:///system', 'private', 'qemu+ssh://host/session', 'qemu:///sessions', 'test:///default']) {
    assert.equal(isSession(other), false, other)
  }
})
