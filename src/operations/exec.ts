/** `exec`: a program in a guest, by the guest's agent. */
import { findGuestAgent } from '../domain/guest-agent.ts'
import { type GuestRun, runInGuest } from '../domain/guest-run.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Workspace } from './workspace.ts'

export interface ExecRequest extends GuestRun {
  readonly machine: string
}

/** Its exit status. @throws {VmpkgError} `USAGE` and what `openGuest` and `runInGuest` refuse */
export async function execInMachine(workspace: Workspace, { machine, ...run }: ExecRequest): Promise<number> {
  requireUser(run.user)
  const { domain } = await openGuest(workspace, machine)
  return runInGuest(domain, run, workspace.outside)
}

/**
 * A running machine whose package offers a guest agent.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `AGENT_UNAVAILABLE`
 */
export async function openGuest(workspace: Workspace, name: string): Promise<Machine> {
  const machine = await getMachine(await workspace.connect(), name)
  if (machine.facts.kind === 'router') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `${name} is a router: nothing is run in it, and nothing copied`, {
      hint: `vmpkg status ${name} and vmpkg logs ${name} tell how it is.`,
    })
  }
  const { state } = await machine.domain.getState()
  if (state !== 'running') {
    throw new VmpkgError('DOMAIN_STATE', `${name} is ${state === 'shutoff' ? 'not running' : state}`, {
      hint: state === 'paused' ? `Resume it: virsh resume ${name}` : `vmpkg start ${name}`,
    })
  }
  const agent = findGuestAgent(await machine.domain.getXMLDesc())
  if (agent === 'none') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `${name} has no channel for a guest agent`, {
      hint: `Its package offers none. A console does without: vmpkg console ${name}`,
    })
  }
  if (agent === 'closed') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `The guest agent of ${name} does not run yet`, {
      hint: `vmpkg wait ${name} --for ready waits for it.`,
    })
  }
  return machine
}

/** It becomes a word of a shell in the guest. */
export function requireUser(user: string | undefined): void {
  if (user === undefined || /^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return
  throw new VmpkgError('USAGE', `${JSON.stringify(user.slice(0, 40))} is no name of a user`, {
    hint: 'Lower-case letters, digits, hyphens and underscores.',
  })
}
