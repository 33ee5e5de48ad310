import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findMount } from '../../src/host/mount-of.ts'

const MOUNTS = [
  '1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard',
  '2 1 0:20 / /run rw shared:2 master:1 - tmpfs tmpfs rw,size=1k',
  '3 2 0:21 / /run/vm\\040pkg rw - tmpfs none rw,noswap',
  '4 2 0:22 / /run/over rw - tmpfs none rw,noswap',
  '5 2 0:23 / /run/over rw - tmpfs none rw',
  '',
].join('\n')

test('the mount of a folder is the nearest above it, of two at one place the one on top', () => {
  const devices = ['/srv', '/run', '/runner', '/run/vm pkg/a', '/run/vm pkg2', '/run/over/x'].map(
    (folder) => findMount(folder, MOUNTS)?.device,
  )
  assert.deepEqual(devices, ['8:1', '0:20', '8:1', '0:21', '0:20', '0:23'])
  assert.deepEqual(findMount('/srv', MOUNTS), { point: '/', type: 'ext4', device: '8:1', options: ['rw', 'discard'] })
  assert.equal(findMount('/srv', ''), undefined)
})
