/** Within one change of what is installed: what the routers above let through, for what comes, changes and goes. */
import { listMachines, type Machine } from '../domain/inventory.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Definition } from '../state/definitions.ts'
import type { DefinitionChange } from '../state/history.ts'
import type { Transaction } from '../state/journal.ts'
import type { RouterRequest } from './router-definition.ts'
import { settleInto } from './settle-router.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

export class Settled {
  /** Of packages that this change brings, by name. */
  readonly requests = new Map<string, RouterRequest>()
  /** For the history. */
  readonly changes: DefinitionChange[]
  readonly #workspace: Workspace
  readonly #transaction: Transaction
  readonly #definitions = new Map<string, Definition>()

  constructor(workspace: Workspace, transaction: Transaction, changes: DefinitionChange[]) {
    this.#workspace = workspace
    this.#transaction = transaction
    this.changes = changes
  }

  /** To be recorded with the change. */
  definitions(): readonly Definition[] {
    return [...this.#definitions.values()]
  }

  /** The router above this one, if there is one. */
  async above(facts: DomainFacts): Promise<void> {
    const upper = findUpper(await listMachines(await this.#workspace.connect()), facts)
    if (upper !== undefined) await this.itself(upper)
  }

  async itself(machine: Machine): Promise<void> {
    const { uuid } = machine.domain
    const uncommitted = this.#definitions.get(uuid) ?? this.changes.findLast((one) => one.uuid === uuid)?.after
    const settled = await settleInto(this.#workspace, await this.#workspace.connect(), this.#transaction, machine, {
      definition: uncommitted,
      request: this.requests.get(machine.facts.package),
    })
    if (settled !== undefined) this.#definitions.set(uuid, settled)
  }
}
