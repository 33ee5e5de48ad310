/** Which TCP ports a Linux guest listens on, as its kernel lists them: read by the guest's agent, without a program. */
import { VmpkgError } from '../errors.ts'
import { type AgentDomain, closeGuestFile, openGuestFile, readGuestFile } from './guest-agent.ts'

const LISTEN = '0A'
/** A guest with more sockets than fit has to do without the rest. */
const MAXIMUM_READS = 16

export async function findListener(domain: AgentDomain, port: number): Promise<boolean> {
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const table = await readTable(domain, path)
    if (table !== undefined && listeningPorts(table).includes(port)) return true
  }
  return false
}

/** Lines of `sl local_address rem_address st …`, addresses as `0100007F:0016`. */
export function listeningPorts(table: string): readonly number[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    const port = /:([0-9A-F]{4})$/.exec(local)?.[1]
    return port !== undefined && state === LISTEN ? [Number.parseInt(port, 16)] : []
  })
}

/** A guest without IPv6 has no second table. */
async function readTable(domain: AgentDomain, path: string): Promise<string | undefined> {
  let opened: number
  try {
    opened = await openGuestFile(domain, path, 'r')
  } catch (error) {
    if (error instanceof VmpkgError && error.code === 'AGENT_REFUSED') return undefined
    throw error
  }
  try {
    const pieces: Buffer[] = []
    for (let reads = 0; reads < MAXIMUM_READS; reads++) {
      const piece = await readGuestFile(domain, opened)
      if (piece.length === 0) break
      pieces.push(piece)
    }
    return Buffer.concat(pieces).toString('latin1')
  } finally {
    await closeGuestFile(domain, opened)
  }
}
