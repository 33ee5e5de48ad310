import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { privateHostPrefix, runInPrivateHost } from '../../src/host/private-host-run.ts'
import {
  addWorldInterface,
  privateHostMissing,
  startTestHost,
  startWorldServer,
  type TestHost,
  WORLD_ADDRESS,
} from '../support/private-host.ts'
import { realProcesses } from '../support/real-processes.ts'

describe('runInPrivateHost', { skip: await privateHostMissing() }, () => {
  let host: TestHost

  before(async () => {
    host = await startTestHost()
  })
  after(() => host.stop())

  test('runs as root of the host, with its daemon at the usual place', async () => {
    const result = await runInPrivateHost(host.host, ['virsh', '-q', '-c', 'qemu:///system', 'uri'], realProcesses)
    assert.deepEqual(result, { exitCode: 0, stdout: 'qemu:///system\n', stderr: '' })
    assert.equal((await host.run(['id', '-u'])).stdout, '0\n')
  })

  test('hands the arguments over untouched and tells the exit status', async () => {
    const hostile = '$(reboot) ; "x" \\'
    const result = await host.run(['sh', '-c', 'printf %s "$1"; exit 7', 'sh', hostile])
    assert.deepEqual(result, { exitCode: 7, stdout: hostile, stderr: '' })
  })

  test('sees no socket of the outer machine under /run and only harmless devices', async () => {
    assert.equal((await host.run(['ls', '/run/systemd'])).exitCode, 2)
    const devices = (await host.run(['find', '/dev', '-type', 'b', '-o', '-name', 'kvm'])).stdout
    assert.equal(devices, '')
  })

  test('reaches a server that plays the world, which the outer machine cannot see', async () => {
    await addWorldInterface(host)
    const server = await startWorldServer(host, 'hello', 8080)
    const url = `http://${WORLD_ADDRESS}:8080/`
    assert.equal((await host.run(['curl', '-sS', '--max-time', '5', url])).stdout, 'hello')
    assert.deepEqual(server.clients, [WORLD_ADDRESS])
    await server.stop()
    assert.notEqual((await host.run(['curl', '-sS', '--max-time', '5', url])).exitCode, 0)
    const outer = await realProcesses.run('ip', ['-brief', 'address'])
    assert.ok(!outer.stdout.includes(WORLD_ADDRESS))
  })

  test('enters the user namespace only where there is one', () => {
    assert.equal(privateHostPrefix({ ...host.host, rootless: true }).includes('--user'), true)
    assert.equal(privateHostPrefix({ ...host.host, rootless: false }).includes('--user'), false)
  })
})
