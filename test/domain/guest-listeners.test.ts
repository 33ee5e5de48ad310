import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { findListener, listeningPorts } from '../../src/domain/guest-listeners.ts'
import { localAgent } from '../support/local-agent.ts'

test('a port counts while somebody listens on it, not while it is only connected', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
    '   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 2 1',
  ].join('\n')
  assert.deepEqual(listeningPorts(table), [22])
})

test('a listener is found by its kernel’s own table, and gone when it is gone', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  assert.equal(await findListener(localAgent(), port), true)
  await new Promise((resolve) => server.close(resolve))
  assert.equal(await findListener(localAgent(), port), false)
})
