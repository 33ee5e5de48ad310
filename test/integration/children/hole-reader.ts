/** In a worker, since it may block: reads a hole of 2^40 bytes as fast as it comes and says whether timers run. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Connect, StorageVolume } from '../../../src/libvirt/index.ts'
import { STATUS, TYPE } from '../../../src/libvirt/protocol.ts'
import { HostileDaemon } from '../../support/hostile-daemon.ts'

const hole = Buffer.from('000001000000000000000000', 'hex')
const daemon = await HostileDaemon.start((packet, link) => {
  if (packet.procedure !== 209 || packet.type !== TYPE.call) return false
  link.reply(packet)
  setTimeout(() => link.packet({ ...packet, type: TYPE.hole, status: STATUS.continue }, hole), 50)
  return true
})
const connect = await Connect.open(daemon.uri)
const stream = await new StorageVolume(connect, { pool: 'p', name: 'v', key: 'k' }).download({ offset: 0n, length: 0n })
stream.on('error', () => {})
// Three ways of reading, each of which can keep the event loop to itself.
if (workerData === 'data') stream.on('data', () => {})
else if (workerData === 'resume') stream.resume()
else
  void (async () => {
    for await (const _ of stream);
  })().catch(() => {})
await sleep(500)
stream.destroy()
await connect.close()
await daemon[Symbol.asyncDispose]()
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origins
parentPort?.postMessage('a timer ran')
