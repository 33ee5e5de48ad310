/** New circuits for the clients of a router with Tor: what they open from then on goes another way, and as somebody else. */
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { ask } from '../domain/readiness.ts'
import { VmpkgError } from '../errors.ts'
import type { AgentReply } from '../router/agent.ts'
import type { Workspace } from './workspace.ts'

export interface RenewedCircuits {
  readonly router: string
  /** How far Tor is, by the guest's word; none where it was not asked. */
  readonly tor?: AgentReply['tor']
}

/** Emulated guests take seconds. */
const ANSWER_MS = 30_000

/**
 * @param name the only one that runs, where it is absent
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `GUEST_NOT_READY`; `USAGE` for what has no Tor
 */
export async function renewCircuits(
  workspace: Workspace,
  { name, dryRun }: { readonly name: string | undefined; readonly dryRun: boolean },
): Promise<RenewedCircuits> {
  const connect = await workspace.connect()
  const machine = name === undefined ? chooseOnly(await listMachines(connect)) : await getMachine(connect, name)
  if (!hasTor(machine)) {
    throw new VmpkgError('USAGE', `${machine.name} is not a router with Tor`, {
      hint: 'Routers of layer sol are: vmpkg net list names them.',
    })
  }
  if ((await machine.domain.getState()).state !== 'running') {
    throw new VmpkgError('DOMAIN_STATE', `${machine.name} does not run`, {
      hint: `Start it: vmpkg start ${machine.name}. It has new circuits then.`,
    })
  }
  if (dryRun) return { router: machine.name }
  const reply = await ask(machine.domain, 'tor.newnym', { ...workspace.outside, timeoutMs: ANSWER_MS })
  if (reply?.ok === true) return { router: machine.name, tor: reply.tor }
  throw refusal(machine.name, reply)
}

function hasTor({ facts: { kind, layer } }: Machine): boolean {
  return kind === 'router' && layer === 'sol'
}

function chooseOnly(machines: readonly Machine[]): Machine {
  const [only, ...others] = machines.filter(hasTor)
  if (only === undefined) {
    throw new VmpkgError('USAGE', 'There is no router with Tor', { hint: 'vmpkg install router-sol makes one.' })
  }
  if (others.length === 0) return only
  const names = [only, ...others].map((one) => one.name)
  throw new VmpkgError('USAGE', `There are several routers with Tor: ${names.join(', ')}`, {
    hint: `Name one: vmpkg router newnym ${only.name}`,
  })
}

function refusal(name: string, reply: AgentReply | undefined): VmpkgError {
  if (reply?.error === 'too soon') {
    return new VmpkgError('DOMAIN_STATE', `${name} was given new circuits less than ten seconds ago`, {
      hint: 'Tor makes new ones every ten seconds at most: wait, and ask again.',
    })
  }
  const reason = reply === undefined ? 'it gave no answer' : (reply.error ?? 'it gave no reason')
  return new VmpkgError('GUEST_NOT_READY', `${name} made no new circuits: ${reason}`, {
    hint: `vmpkg status ${name} says how far Tor is, vmpkg logs ${name} what it complains of.`,
  })
}
