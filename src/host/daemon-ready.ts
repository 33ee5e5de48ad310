/**
 * Whether a libvirt daemon serves its socket. A connection alone proves nothing: the kernel accepts it while the
 * daemon's drivers still start. The daemon's answer to the one question allowed before opening does.
 *
 * Source: libvirt-rpc section 3, procedure AUTH_LIST (66) of program 0x20008086.
 */
import { createConnection } from 'node:net'

const HEADER_BYTES = 28
const AUTH_LIST = Buffer.alloc(HEADER_BYTES)
for (const [index, word] of [HEADER_BYTES, 0x20008086, 1, 66, 0, 1, 0].entries())
  AUTH_LIST.writeUInt32BE(word, index * 4)

/** Resolves to false on refusal, silence for `timeoutMs` milliseconds, or an answer that is none. */
export function isDaemonReady(socketPath: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path: socketPath })
    let received = Buffer.alloc(0)
    const settle = (ready: boolean): void => {
      socket.destroy()
      resolve(ready)
    }
    socket.setTimeout(timeoutMs, () => settle(false))
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
    socket.on('connect', () => socket.write(AUTH_LIST))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= HEADER_BYTES)
        settle(received.readUInt32BE(4) === 0x20008086 && received.readUInt32BE(16) === 1)
    })
  })
}
