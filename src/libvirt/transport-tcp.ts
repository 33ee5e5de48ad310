/**
 * A plain TCP connection to the daemon. libvirt has it for tests, and for SASL mechanisms that encrypt by themselves.
 */
import { connect as connectSocket, type Socket } from 'node:net'
import { ConnectionClosed, refuse } from './error.ts'
import type { CallOptions } from './rpc.ts'

interface Place {
  readonly host: string
  readonly port: number
}

/**
 * @throws {ConnectionClosed} when nothing answers
 * @throws {LibvirtError} `operationTimeout`
 */
export function dialTcp({ host, port }: Place, limits: CallOptions): Promise<Socket> {
  const { signal, timeoutMs } = limits
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const socket = connectSocket({ host, port, noDelay: true })
    const fail = (reason: unknown) => {
      settled()
      socket.on('error', () => {})
      socket.destroy()
      reject(reason)
    }
    const failed = (error: Error) =>
      fail(new ConnectionClosed(`cannot reach libvirt at ${where(host, port)}: ${error.message}`, { cause: error }))
    const aborted = () => fail(signal?.reason)
    const late = () => fail(refuse('operationTimeout', `${where(host, port)} did not answer within ${timeoutMs} ms`))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
    const settled = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      socket.off('error', failed)
    }
    signal?.addEventListener('abort', aborted, { once: true })
    socket.on('error', failed)
    socket.once('connect', () => {
      settled()
      resolve(socket)
    })
  })
}

/** As a URI writes it. */
export function where(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
