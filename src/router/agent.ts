/**
 * The router agent's line protocol on the virtio-serial channel `org.vmpkg.agent.0` (decisions 9 and 10): five verbs, each
 * request carries the host's nonce, each reply is one JSON line with that nonce. The guest is hostile: replies are bounded
 * and checked. Attestation: the guest reports the SHA-256 of the rule file it loaded and whether the kernel gives back
 * what that file says; the host knows the digest of the file it put on the medium.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import type { Sha256 } from '../model/digest.ts'

export const AGENT_CHANNEL = 'org.vmpkg.agent.0'
/** Bytes of one reply line; longer ones are an attack or garbage. */
export const MAX_REPLY_BYTES = 16 * 1024

export type AgentVerb = 'status' | 'reset' | 'vpn.list' | 'vpn.use' | 'tor.newnym'

const address = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3}){3}$/)
  .nullable()

const replySchema = z.object({
  vmpkg: z.literal(1),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  verb: z.string().max(32),
  ok: z.boolean(),
  error: z.string().max(200).optional(),
  ready: z.boolean().optional(),
  hostname: z.string().max(64).optional(),
  /** Of a machine that was started for a pool, until it is told who it is. */
  identity: z.literal('awaited').optional(),
  forwarding: z.boolean().optional(),
  rules: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), matches: z.boolean() }).optional(),
  wan: z.object({ address }).optional(),
  lan: z.object({ address }).optional(),
  dns: z.enum(['up', 'down']).optional(),
  tunnel: z
    .object({
      profile: z.string().max(31),
      kind: z.enum(['openvpn', 'wireguard', 'ssh']),
      state: z.enum(['up', 'connecting']),
      address,
    })
    .optional(),
  /** Of a router that takes people in by OpenVPN: whether its server runs with what it was given. */
  openvpn: z.object({ state: z.enum(['up', 'down']) }).optional(),
  relays: z.object({ count: z.int().min(0), seconds: z.int().min(0) }).optional(),
  tor: z
    .object({
      network: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/),
      state: z.enum(['up', 'connecting']),
      progress: z.int().min(0).max(100),
      /** Word of Tor for where its start stands: `conn_dir`, `done`. */
      phase: z.string().regex(/^[a-z0-9_]{1,32}$/),
    })
    .optional(),
  uptimeSeconds: z.number().nonnegative().optional(),
})

/** What a guest says of itself. Nothing in it is proof but the attested rules, and those only of the guest's own word. */
export type AgentReply = z.infer<typeof replySchema>

/**
 * @param nonce 32 hexadecimal digits, fresh for each request
 * @param argument a word: of `vpn.use` the profile's name, of `reset` for a machine of a pool the time in seconds
 */
export function formatRequest(verb: AgentVerb, nonce: string, argument?: string): string {
  return `${verb} ${nonce}${argument === undefined ? '' : ` ${argument}`}\n`
}

/** The reply in a line, or `undefined` for lines that are not a reply (announcements, leftovers, garbage). */
export function findReply(line: string): AgentReply | undefined {
  if (line.length > MAX_REPLY_BYTES) return undefined
  try {
    const result = replySchema.safeParse(JSON.parse(line))
    return result.success ? result.data : undefined
  } catch {
    return undefined // not JSON: a line that some earlier reader was meant to get, or noise
  }
}

/**
 * Returns the reply when it attests exactly the rules that the host rendered.
 * @throws {VmpkgError} `ATTESTATION_FAILED`
 */
export function verifyAttestation(reply: AgentReply, rules: Sha256, subject: string): AgentReply {
  if (reply.rules === undefined) throw failed(subject, 'it reports no rule set', {})
  const facts = { expected: rules, actual: reply.rules.sha256 }
  if (reply.rules.sha256 !== rules) throw failed(subject, 'it loaded other rules than the ones rendered for it', facts)
  if (!reply.rules.matches) throw failed(subject, 'its kernel holds other rules than the file it loaded', facts)
  return reply
}

function failed(subject: string, reason: string, details: Record<string, unknown>): VmpkgError {
  return new VmpkgError('ATTESTATION_FAILED', `${subject} does not attest its firewall rules: ${reason}`, {
    hint: `Its LAN stays link-down. See vmpkg logs ${subject}, then vmpkg stop ${subject} and vmpkg start ${subject}.`,
    details,
  })
}
