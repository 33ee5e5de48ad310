/**
 * Holds rendered XML against the libvirt that is to define it, before anything is changed: what is newer than its release
 * is named with the release it needs; then its own schema decides, where its files can be read (this machine, a private
 * host). Elsewhere libvirt itself validates when it defines.
 */
import { isVmpkgError } from '../errors.ts'
import { readInstalledRelease, readInstalledSchema } from '../host/libvirt-schemas.ts'
import { findPrivateHost } from '../host/private-host-record.ts'
import type { Connect } from '../libvirt/connect.ts'
import { formatVersion } from '../libvirt/version.ts'
import { parseXml } from '../xml/parse.ts'
import type { Schema } from '../xml/schema/grammar.ts'
import { requiredVersion, requireRelease } from '../xml/schema/required-version.ts'
import { findSchemaFaults, requireSchemaValid } from '../xml/schema/validate.ts'
import { privateFolders } from './connection.ts'
import { privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

interface Target {
  readonly release: string
  /** Folder under which the target's files are; undefined where they are out of reach. */
  readonly root: string | undefined
  readonly schemas: Map<string, Schema>
}

/** A command opens one connection and defines several things. */
const targets = new WeakMap<Connect, Promise<Target>>()

type DefinitionKind = 'domain' | 'network'

/** What the target would not take of a definition. */
export interface Violation {
  readonly code: 'SCHEMA_INVALID' | 'HOST_UNSUPPORTED'
  /** As in `/domain/devices/disk[2]/source/@file`; of what is too new as in `domain/features/ps2`. */
  readonly path: string
  /** Of the rendered XML; absent for what is too new. */
  readonly line?: number
  readonly reason: string
  readonly allowed: readonly string[]
}

/** @throws {VmpkgError} `SCHEMA_INVALID` `HOST_UNSUPPORTED` `XML_INVALID` */
export async function validateDefinition(
  workspace: Workspace,
  connect: Connect,
  kind: DefinitionKind,
  xml: string,
): Promise<void> {
  const target = await openTarget(workspace, connect)
  const document = parseXml(xml)
  requireRelease(document, target.release)
  const schema = openSchema(workspace, target, kind)
  if (schema !== undefined) requireSchemaValid(document, schema, target.release)
}

/** All that `validateDefinition` refuses; what is too new is not named by the schema once more. @throws {VmpkgError} `XML_INVALID` */
export async function findDefinitionViolations(
  workspace: Workspace,
  connect: Connect,
  kind: DefinitionKind,
  xml: string,
): Promise<readonly Violation[]> {
  const target = await openTarget(workspace, connect)
  const document = parseXml(xml)
  const needs = requiredVersion(document, target.release).filter(({ isExact }) => isExact)
  const schema = openSchema(workspace, target, kind)
  const faults = schema === undefined ? [] : findSchemaFaults(document, schema)
  const isNamed = (path: string): boolean => needs.some((need) => need.path.split('=')[0] === namesOf(path))
  return [
    ...needs.map(({ path, since }): Violation => {
      const reason = `needs libvirt ${since}, and this host has ${target.release}`
      return { code: 'HOST_UNSUPPORTED', path, reason, allowed: [] }
    }),
    ...faults.filter(({ path }) => !isNamed(path)).map((fault): Violation => ({ code: 'SCHEMA_INVALID', ...fault })),
  ]
}

/** `/domain/devices/disk[2]/@type` as needs are written: `domain/devices/disk/@type`. */
function namesOf(path: string): string {
  return path.slice(1).replaceAll(/\[\d+\]/g, '')
}

async function openTarget(workspace: Workspace, connect: Connect): Promise<Target> {
  const known = targets.get(connect) ?? findTarget(workspace, connect)
  targets.set(connect, known)
  return known
}

function openSchema(workspace: Workspace, { root, schemas }: Target, kind: DefinitionKind): Schema | undefined {
  if (root === undefined) return undefined
  const file = `${kind}.rng`
  try {
    const schema = schemas.get(file) ?? readInstalledSchema(root, file)
    if (schema !== undefined) schemas.set(file, schema)
    return schema
  } catch (error) {
    // libvirt validates once more when it defines: that we cannot read its schema is no reason to refuse.
    if (!isVmpkgError(error, 'SCHEMA_UNUSABLE')) throw error
    workspace.outside.emit({ type: 'noted', message: error.message })
    return undefined
  }
}

async function findTarget(workspace: Workspace, connect: Connect): Promise<Target> {
  const release = formatVersion(await connect.getLibVersion())
  const root = await findRoot(workspace)
  // A socket may lead into a container with another libvirt: its files are not these.
  const isSame = root !== undefined && (await readInstalledRelease(root)) === release
  return { release, root: isSame ? root : undefined, schemas: new Map() }
}

async function findRoot(workspace: Workspace): Promise<string | undefined> {
  const name = privateHostName(workspace.connectionName)
  if (name === undefined) return /^qemu:\/\/\/(?:system|session)$/.test(workspace.connectionName) ? '/' : undefined
  const host = await findPrivateHost(name, privateFolders(workspace))
  return host === undefined ? undefined : `/proc/${host.pid}/root`
}
