/**
 * Asks a guest to shut itself down: by the power button, by its agent, or by one after the other. libvirt's own choice is the
 * agent wherever one is connected, and it holds the call until that answers, a minute for one that hangs; so the button
 * comes first here, and nobody waits for the agent's answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { findGuestAgent } from './guest-agent.ts'
import { throwIfAborted } from './readiness.ts'

const POLL_MS = 200

export type ShutdownMode = 'acpi' | 'agent'
export type StoppedDomain = Pick<Domain, 'name' | 'getXMLDesc' | 'isActive' | 'shutdown'>

/**
 * Returns when it is off or the time is over. Without `mode` the agent is asked once half of the time is over.
 * @throws {VmpkgError} `ABORTED`; with the mode `agent` `AGENT_UNAVAILABLE` where nothing in the guest listens
 */
export async function shutDown(
  domain: StoppedDomain,
  {
    timeoutMs,
    mode,
    signal,
  }: { readonly timeoutMs: number; readonly mode: ShutdownMode | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const agent = mode === 'acpi' ? 'none' : findGuestAgent(await domain.getXMLDesc())
  if (mode === 'agent' && agent !== 'open') throw noAgent(domain.name)
  if (mode !== 'agent') await press(domain)
  const askAt = mode === 'agent' ? 0 : timeoutMs / 2
  let isAsked = agent !== 'open'
  for (let waited = 0; waited < timeoutMs; waited += POLL_MS) {
    throwIfAborted(signal)
    if (!(await domain.isActive())) return
    if (!isAsked && waited >= askAt) {
      isAsked = true
      domain.shutdown({ flags: ['agent'] }).catch(() => {}) // what it does is seen, not what it says
    }
    await sleep(POLL_MS)
  }
}

/** One that went off by itself meanwhile has no button. */
async function press(domain: StoppedDomain): Promise<void> {
  await domain.shutdown({ flags: ['acpi'] }).catch((error: unknown) => {
    if (!(error instanceof LibvirtError) || !error.is('operationInvalid')) throw error
  })
}

function noAgent(name: string): VmpkgError {
  return new VmpkgError('AGENT_UNAVAILABLE', `No guest agent runs in ${name} that could be asked`, {
    hint: `vmpkg stop ${name} presses the power button instead.`,
  })
}
