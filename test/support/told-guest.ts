/**
 * Preloaded (`node --import`) into a command: says what the guests of its machines would say, which start as far as the
 * firmware and have no system inside. Everything else is real: libvirt, QEMU, channels that are attached, files.
 *
 * QEMU's guest agent is a process on this machine (`agent-server.ts`, whose socket the environment names); vmpkg's own
 * waits for an identity while its machine is in a pool, and has the one on the medium in the drive afterwards.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { type Duplex, duplexPair } from 'node:stream'
import { Domain } from '../../src/libvirt/domain.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { AGENT_CHANNEL } from '../../src/router/agent.ts'
import { AGENT_VARIABLE } from './guest-agent-process.ts'

type Method = (this: Domain, ...args: never[]) => Promise<unknown>

/** For faults, which count each command to a guest. */
export const told = { counted: async <T>(_kind: string, call: () => Promise<T>): Promise<T> => call() }

/** A server's key and the number of the process that made it; of a server that runs. */
const HOST_KEY = `ssh-ed25519 ${'A'.repeat(68)}`
const KEY_MAKER = 1_000_001
const SSH_SERVER = 1_000_002

const methods = Domain.prototype as unknown as Record<string, Method>
const { getXMLDesc } = methods
if (getXMLDesc === undefined) throw new Error('another Domain')
/** The guest's end of what is open, by the name of the channel. */
const ends = new Map<string, Duplex>()

methods['getXMLDesc'] = async function say(...args) {
  const xml = String(await Reflect.apply(getXMLDesc, this, args))
  return xml.replaceAll(/(<target type='virtio' name='org\.[a-z_.]+0') state='disconnected'/g, "$1 state='connected'")
}

methods['agentCommand'] = async function say(...args) {
  const [{ command }] = args as unknown as [{ readonly command: string }]
  const { execute, arguments: words = {} } = JSON.parse(command) as {
    execute: string
    arguments?: Record<string, unknown>
  }
  return guarded(execute, async () => answerForSsh(execute, words) ?? ask(command))
}

methods['openChannel'] = async function say(...args) {
  const [{ name }] = args as unknown as [{ readonly name: string }]
  const [host, guest] = duplexPair()
  guest.on('error', () => {})
  ends.set(name, guest)
  if (name === AGENT_CHANNEL) createInterface(guest).on('line', (line) => void answer(this, line, guest))
  return host
}

async function guarded(execute: string, call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await told.counted(`agent ${execute}`, call)
  } catch (error) {
    throw refusal(execute, error instanceof Error ? error.message : String(error))
  }
}

/** In libvirt's words. */
function refusal(execute: string, reason: string): LibvirtError {
  const message = `internal error: unable to execute QEMU agent command '${execute}': ${reason}`
  return new LibvirtError({ code: 1, domain: 10, message, level: 2, int1: 0, int2: 0, texts: [] })
}

async function ask(command: string): Promise<string> {
  const client = connect(process.env[AGENT_VARIABLE] ?? '')
  const pieces: Buffer[] = []
  client.on('data', (piece: Buffer) => pieces.push(piece)).write(`${command}\n`)
  await once(client, 'close')
  const text = Buffer.concat(pieces).toString()
  const { error } = JSON.parse(text) as { error?: { desc: string } }
  if (error !== undefined) throw new Error(error.desc)
  return text
}

/** No server is started on this machine: its key is made up, and what would be a session says its first word. */
function answerForSsh(execute: string, { path, arg, pid }: Readonly<Record<string, unknown>>): string | undefined {
  const said = (result: unknown): string => JSON.stringify({ return: result })
  const words = (arg ?? []) as readonly string[]
  if (execute === 'guest-exec' && words.some((word) => word.includes('/run/vmpkg-ssh'))) {
    if (path !== 'setsid') return said({ pid: KEY_MAKER })
    const [, , , , channel = '', word = ''] = words
    ends.get(channel)?.write(`${word}\n`)
    return said({ pid: SSH_SERVER })
  }
  if (execute !== 'guest-exec-status') return undefined
  if (pid === KEY_MAKER)
    return said({ exited: true, exitcode: 0, 'out-data': Buffer.from(HOST_KEY).toString('base64') })
  return pid === SSH_SERVER ? said({ exited: false }) : undefined
}

async function answer(domain: Domain, line: string, guest: Duplex): Promise<void> {
  const [verb = '', nonce = ''] = line.split(' ')
  const xml = await domain.getXMLDesc()
  const medium = /<disk type='file' device='cdrom'>.*?<source file='([^']+)'/s.exec(xml)?.[1]
  // Files of an ISO lie in it as they are.
  const hostname = medium === undefined ? '' : /HOSTNAME=([a-z0-9-]+)/.exec(readFileSync(medium, 'latin1'))?.[1]
  const isAwaited = verb !== 'reset' && /<vmpkg:domain [^>]*\bpool=/.test(xml)
  const state = isAwaited ? { identity: 'awaited' } : { ready: true, hostname, wan: { address: '10.1.1.99' } }
  guest.write(`${JSON.stringify({ vmpkg: 1, nonce, verb, ok: true, ...state })}\n`)
}
