/** Where the screen of a running machine can be seen, as its live XML says. */
import { findElement, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

export interface Display {
  readonly type: 'vnc' | 'spice'
  /** On the host that the machine runs on. */
  readonly address?: string
  readonly port?: number
  /** A UNIX socket instead of address and port. */
  readonly socket?: string
  /** As remote-viewer takes it. */
  readonly uri: string
}

/** `undefined` for a machine without one, or with one that nothing can connect to. */
export function readDisplay(xml: string): Display | undefined {
  const { root } = parseXml(xml)
  for (const type of ['spice', 'vnc'] as const) {
    const graphics = findElement(root, `devices/graphics[@type="${type}"]`)
    if (graphics === undefined) continue
    const listen = findElement(graphics, 'listen')
    const socket = getAttribute(graphics, 'socket') ?? (listen && getAttribute(listen, 'socket'))
    if (socket !== undefined) return { type, socket, uri: `${type}+unix://${encodeURI(socket)}` }
    const port = Number(getAttribute(graphics, 'port') ?? -1)
    const address = (listen && getAttribute(listen, 'address')) ?? getAttribute(graphics, 'listen')
    if (address === undefined || !(port > 0)) continue
    const host = address.includes(':') ? `[${address}]` : address
    return { type, address, port, uri: `${type}://${host}:${port}` }
  }
  return undefined
}
