/**
 * QEMU's guest agent as libvirt passes it on: one JSON command, one JSON answer. The guest is hostile: every answer is
 * checked for its shape, and what it says is shown to nobody unbounded. Routers have no such channel.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

const GUEST_AGENT_CHANNEL = 'org.qemu.guest_agent.0'
/** For one answer: a guest that is emulated and busy takes its time. */
const ANSWER_SECONDS = 30
/** Base64 of it and the JSON around fit into a string of libvirt's protocol, 4 MiB. */
export const CHUNK_BYTES = 1024 * 1024

/** Of a domain what is needed to talk to the agent inside. */
export type AgentDomain = Pick<Domain, 'name' | 'agentCommand'>

const base64 = z.string().max(4 * 1024 * 1024)
const handle = z.int()
const started = z.object({ pid: z.int().positive() })
const execStatus = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': base64.optional(),
  'err-data': base64.optional(),
})
const readResult = z.object({ count: z.int().nonnegative(), 'buf-b64': base64, eof: z.boolean() })
const writeResult = z.object({ count: z.int().nonnegative() })
const seekResult = z.object({ position: z.int().nonnegative(), eof: z.boolean() })
const cards = z
  .array(
    z.object({
      name: z.string().max(64),
      'hardware-address': z.string().max(64).optional(),
      'ip-addresses': z
        .array(z.object({ 'ip-address': z.string().max(64), prefix: z.int().min(0).max(128) }))
        .max(256)
        .optional(),
    }),
  )
  .max(256)
const anything = z.unknown()

export interface GuestProcess {
  readonly exited: boolean
  /** As a shell has it: 128 and the signal for one that was killed. */
  readonly status: number
  readonly output: Buffer
  readonly errorOutput: Buffer
}

/** `none`: the domain offers the agent no channel; `closed`: nothing in the guest has opened it. Of the running domain. */
export function findGuestAgent(xml: string): 'none' | 'closed' | 'open' {
  const ends = findElements(parseXml(xml).root, 'devices/channel/target')
  const end = ends.find((target) => getAttribute(target, 'name') === GUEST_AGENT_CHANNEL)
  if (end === undefined) return 'none'
  return getAttribute(end, 'state') === 'disconnected' ? 'closed' : 'open'
}

/** @throws {VmpkgError} `AGENT_UNAVAILABLE` where nobody answers, `DOMAIN_STATE` */
export async function pingGuest(domain: AgentDomain, seconds: number = ANSWER_SECONDS): Promise<void> {
  await command(domain, 'guest-ping', undefined, anything, seconds)
}

export interface GuestCard {
  /** Lower case; none for the guest's own loopback. */
  readonly mac: string | undefined
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[]
}

/** What the guest says that its cards have; only what is an address. */
export async function readGuestCards(domain: AgentDomain, seconds: number): Promise<readonly GuestCard[]> {
  const found = await command(domain, 'guest-network-get-interfaces', undefined, cards, seconds)
  return found.map((card) => ({
    mac: card['hardware-address']?.toLowerCase(),
    addresses: (card['ip-addresses'] ?? []).flatMap(({ 'ip-address': address, prefix }) =>
      isIP(address) === 0 ? [] : [{ address, prefix }],
    ),
  }))
}

/** Starts a program and returns its process number. @param input standard input as a whole; empty without */
export async function startProcess(
  domain: AgentDomain,
  {
    path,
    args,
    input,
    capture,
  }: {
    readonly path: string
    readonly args: readonly string[]
    readonly input?: Uint8Array
    /** What it writes is kept, in the agent's memory, until it has ended. */
    readonly capture: boolean
  },
): Promise<number> {
  const { pid } = await command(
    domain,
    'guest-exec',
    {
      path,
      arg: args,
      'capture-output': capture,
      ...(input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') }),
    },
    started,
  )
  return pid
}

/** A process that has ended is forgotten by the agent once this has told of it. */
export async function pollProcess(domain: AgentDomain, pid: number): Promise<GuestProcess> {
  const answer = await command(domain, 'guest-exec-status', { pid }, execStatus)
  return {
    exited: answer.exited,
    status: answer.signal === undefined ? (answer.exitcode ?? 0) & 0xff : 128 + (answer.signal & 0x7f),
    output: Buffer.from(answer['out-data'] ?? '', 'base64'),
    errorOutput: Buffer.from(answer['err-data'] ?? '', 'base64'),
  }
}

/** @param mode as `fopen` has it @returns a handle, to be closed */
export async function openGuestFile(domain: AgentDomain, path: string, mode: 'r' | 'r+'): Promise<number> {
  return command(domain, 'guest-file-open', { path, mode }, handle)
}

export async function closeGuestFile(domain: AgentDomain, opened: number): Promise<void> {
  await command(domain, 'guest-file-close', { handle: opened }, anything)
}

/** At most `CHUNK_BYTES`; nothing at the end. */
export async function readGuestFile(domain: AgentDomain, opened: number, count: number = CHUNK_BYTES): Promise<Buffer> {
  const answer = await command(domain, 'guest-file-read', { handle: opened, count }, readResult)
  const bytes = Buffer.from(answer['buf-b64'], 'base64')
  if (bytes.length > count) throw refused(domain.name, 'it gave more of a file than was asked for', undefined)
  return bytes
}

/** All of it, at most `CHUNK_BYTES`. */
export async function writeGuestFile(domain: AgentDomain, opened: number, bytes: Uint8Array): Promise<void> {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  const { count } = await command(domain, 'guest-file-write', { handle: opened, 'buf-b64': data }, writeResult)
  if (count !== bytes.length) throw refused(domain.name, 'it wrote less than it was given', undefined)
}

/** What was written last gets to the guest's file system, or this fails. */
export async function flushGuestFile(domain: AgentDomain, opened: number): Promise<void> {
  await command(domain, 'guest-file-flush', { handle: opened }, anything)
}

export async function seekGuestFile(domain: AgentDomain, opened: number, offset: number): Promise<void> {
  await command(domain, 'guest-file-seek', { handle: opened, offset, whence: 'set' }, seekResult)
}

async function command<T>(
  domain: AgentDomain,
  execute: string,
  args: Readonly<Record<string, unknown>> | undefined,
  schema: z.ZodType<T>,
  seconds: number = ANSWER_SECONDS,
): Promise<T> {
  const text = JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })
  const answer = await send(domain, text, seconds)
  const parsed = z.object({ return: schema }).safeParse(parseJson(answer))
  if (parsed.success) return parsed.data.return
  throw refused(domain.name, `its answer to ${execute} is none`, undefined)
}

async function send(domain: AgentDomain, text: string, timeout: number): Promise<string> {
  try {
    return (await domain.agentCommand({ command: text, timeout })) ?? ''
  } catch (cause) {
    if (!(cause instanceof LibvirtError)) throw cause
    throw translate(domain.name, cause)
  }
}

function translate(name: string, cause: LibvirtError): VmpkgError {
  if (cause.is('argumentUnsupported') || /QEMU guest agent is not configured/i.test(cause.message)) {
    return new VmpkgError('AGENT_UNAVAILABLE', `${name} has no channel for a guest agent`, {
      hint: `Its package offers none. A console does without: vmpkg console ${name}`,
      cause,
    })
  }
  if (cause.is('agentUnresponsive') || cause.is('agentUnsynced') || cause.is('agentCommandTimeout')) {
    return new VmpkgError('AGENT_UNAVAILABLE', `The guest agent of ${name} does not answer`, {
      hint: `It may still be starting: vmpkg wait ${name} --for ready`,
      cause,
    })
  }
  if (cause.is('operationInvalid') || cause.is('noDomain')) {
    return new VmpkgError('DOMAIN_STATE', `${name} is not running`, { hint: `vmpkg start ${name}`, cause })
  }
  return refused(name, readableReason(cause.message), cause)
}

/** `... unable to execute QEMU agent command 'guest-file-open': failed to open file …` by its end, the guest's own words. */
function readableReason(message: string): string {
  const said = /unable to execute QEMU agent command '[a-z-]+': (.*)$/s.exec(message)?.[1] ?? message
  return said.slice(0, 300)
}

function refused(name: string, reason: string, cause: LibvirtError | undefined): VmpkgError {
  return new VmpkgError('AGENT_REFUSED', `The guest agent of ${name} refuses: ${reason}`, {
    hint: 'It is the guest’s own word; look inside with vmpkg console.',
    cause,
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
