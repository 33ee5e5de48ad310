import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  addWorldInterface,
  privateHostMissing,
  startTestHost,
  startWorldServer,
  type TestHost,
  WORLD_ADDRESS,
  type WorldServer,
} from '../support/private-host.ts'

/**
 * A host with an uplink, started inside another private host that plays the outer machine: its network namespace holds
 * the server, so no packet of this test reaches the real machine's network.
 */
const NESTED = `
import { startTestHost } from ${JSON.stringify(import.meta.resolve('../support/private-host.ts'))}
const inner = await startTestHost({ uplink: 'slirp4netns' })
try {
  const curl = async (url) => (await inner.run(['curl', '-sS', '--max-time', '5', url])).stdout
  console.log(JSON.stringify({
    address: (await inner.run(['ip', '-brief', '-4', 'address', 'show', 'tap0'])).stdout,
    resolver: (await inner.run(['cat', '/etc/resolv.conf'])).stdout,
    world: await curl('http://${WORLD_ADDRESS}:8080/'),
    loopback: await curl('http://10.0.2.2:8081/'),
  }))
} finally {
  await inner.stop()
}
`

describe('a private host with an uplink', { skip: await privateHostMissing('slirp4netns') }, () => {
  let outer: TestHost
  let server: WorldServer

  before(async () => {
    outer = await startTestHost()
    await addWorldInterface(outer)
    server = await startWorldServer(outer, 'hello', 8080)
  })
  after(() => outer.stop())

  test('reaches the world as the outer machine, but not the loopback of that machine', async () => {
    await startWorldServer(outer, 'secret', 8081, '127.0.0.1')
    assert.equal((await outer.run(['curl', '-sS', 'http://127.0.0.1:8081/'])).stdout, 'secret')
    const result = await outer.run([process.execPath, '--input-type=module', '-e', NESTED], { timeoutMs: 60_000 })
    assert.equal(result.exitCode, 0, result.stderr)
    assert.match(result.stdout, /"address":"tap0 +[A-Z]+ +10\.0\.2\.100\/24 /)
    assert.match(result.stdout, /"resolver":"nameserver 10\.0\.2\.3\\n"/)
    assert.match(result.stdout, /"world":"hello"/)
    assert.match(result.stdout, /"loopback":""/)
    assert.deepEqual(server.clients, [WORLD_ADDRESS])
  })

  test('takes its uplink with it when it ends', async () => {
    for (let tries = 0; tries < 50 && (await outer.run(['pgrep', '-x', 'slirp4netns'])).exitCode === 0; tries++) {
      await outer.run(['sleep', '0.1'])
    }
    assert.equal((await outer.run(['pgrep', '-x', 'slirp4netns'])).exitCode, 1)
  })
})
