/**
 * `edit`: the definition of a machine as its user wants it, for its next start. It is held against libvirt's schema, against
 * what vmpkg itself stands on, and against the gate: what its package was not granted does not come in by an editor
 * unnoticed. An upgrade merges what was edited (decision 0007).
 */
import { getMachine, type Machine } from '../domain/inventory.ts'
import { readRestorable } from '../domain/restore.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { grantName } from '../model/capability.ts'
import { diffDefinitions } from '../render/definition-diff.ts'
import { findEditFaults, findFixedFaults } from '../render/edited-domain.ts'
import { findManifest } from './package-store.ts'
import { intend, transact } from './recover.ts'
import { findDefinitionViolations } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

/** Something in the edited text that cannot stay. */
interface EditProblem {
  readonly line: number | undefined
  readonly path: string
  readonly reason: string
  /** Whether `force` lets it pass: the gate's own. */
  readonly isForced: boolean
}

export interface Editing {
  readonly name: string
  /** As libvirt has it for the next start, secrets included. */
  readonly xml: string
}

export interface EditResult {
  readonly name: string
  readonly changed: boolean
  /** As `diff -u` has it. */
  readonly diff: string
  /** It runs on as it is until its next start. */
  readonly running: boolean
}

export interface EditRequest {
  readonly name: string
  /** What was edited. */
  readonly before: string
  readonly after: string
  readonly force: boolean
  readonly dryRun: boolean
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `DOMAIN_STATE` for an ephemeral clone */
export async function readForEdit(workspace: Workspace, name: string): Promise<Editing> {
  const connect = await workspace.connect()
  const { domain } = await getMachine(connect, name)
  if (!(await domain.isPersistent())) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is an ephemeral clone: it has no definition for a next start`, {
      hint: 'Make a clone that is kept: leave --ephemeral out.',
    })
  }
  return { name, xml: await domain.getXMLDesc({ flags: ['inactive', 'secure'] }) }
}

/**
 * @throws {VmpkgError} `XML_INVALID` `SCHEMA_INVALID` `POLICY_REFUSED` with `details.problems`, `STATE_CHANGED` where somebody
 * else changed it meanwhile, `LIBVIRT_FAILED` where libvirt does not take it
 */
export async function applyEdit(workspace: Workspace, request: EditRequest): Promise<EditResult> {
  const { name, before, after, dryRun } = request
  const connect = await workspace.connect()
  const machine = await getMachine(connect, name)
  const { domain } = machine
  const running = await domain.isActive()
  const diff = diffDefinitions(name, before, after)
  if (diff === '') return { name, changed: false, diff, running }
  refuse(name, await findProblems(workspace, connect, machine, request))
  const now = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
  if (diffDefinitions(name, before, now) !== '') {
    throw new VmpkgError('STATE_CHANGED', `Somebody else changed the definition of ${name} meanwhile`, {
      hint: 'Edit it again: what is there now is not what you began with.',
    })
  }
  const restorable = await readRestorable(connect, domain.uuid)
  if (dryRun || restorable === undefined) return { name, changed: true, diff, running }
  await transact(workspace, { operation: 'edit', subject: name }, async (transaction) => {
    intend(transaction, { kind: 'restore-domain', name, ...restorable, active: false })
    await define(connect, name, after)
    transaction.commit()
  })
  return { name, changed: true, diff, running }
}

async function findProblems(
  workspace: Workspace,
  connect: Connect,
  { facts }: Machine,
  { before, after, force }: EditRequest,
): Promise<readonly EditProblem[]> {
  const schema = await findDefinitionViolations(workspace, connect, 'domain', after)
  const fixed = findFixedFaults(before, after)
  const manifest = await findManifest(workspace, facts.digest)
  const granted = (workspace.installed.find(facts.package)?.grants ?? []).map(grantName)
  const capabilities = manifest?.capabilities ?? []
  const gate = schema.length > 0 || force ? [] : findEditFaults({ before, after, capabilities, granted })
  return [
    ...schema.map(({ path, line, reason }) => ({ path: path.replace(/^\//, ''), line, reason, isForced: false })),
    ...fixed.map(({ path, line, reason }) => ({ path, line, reason, isForced: false })),
    ...gate.map(({ path, line, reason }) => ({ path, line, reason, isForced: true })),
  ]
}

function refuse(name: string, problems: readonly EditProblem[]): void {
  const [first] = problems
  if (first === undefined) return
  const isForced = problems.every((one) => one.isForced)
  const lines = problems.map(
    ({ line, path, reason }) => `\n  ${line === undefined ? '' : `line ${line}: `}${path}: ${reason}`,
  )
  throw new VmpkgError(
    isForced ? 'POLICY_REFUSED' : 'SCHEMA_INVALID',
    `The definition of ${name} cannot be like that:${lines.slice(0, 20).join('')}`,
    {
      hint: isForced
        ? 'Grant its package what it needs, or add --force: the gate is there for what packages do unasked.'
        : 'Correct these lines; nothing was changed.',
      details: { problems },
    },
  )
}

async function define(connect: Connect, name: string, xml: string): Promise<void> {
  try {
    await connect.domainDefineXML({ xml, flags: ['validate'] })
  } catch (cause) {
    if (!(cause instanceof LibvirtError)) throw cause
    throw new VmpkgError('LIBVIRT_FAILED', `libvirt does not take the definition of ${name}: ${cause.message}`, {
      hint: 'Correct it; nothing was changed.',
      cause,
    })
  }
}

/** Whether another try in the editor may help. */
export function isAboutText(error: unknown): boolean {
  return (['XML_INVALID', 'SCHEMA_INVALID', 'POLICY_REFUSED', 'LIBVIRT_FAILED', 'HOST_UNSUPPORTED'] as const).some(
    (code) => isVmpkgError(error, code),
  )
}
