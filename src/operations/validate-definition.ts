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
import { requireRelease } from '../xml/schema/required-version.ts'
import { requireSchemaValid } from '../xml/schema/validate.ts'
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

/** @throws {VmpkgError} `SCHEMA_INVALID` `HOST_UNSUPPORTED` `XML_INVALID` */
export async function validateDefinition(
  workspace: Workspace,
  connect: Connect,
  kind: 'domain' | 'network',
  xml: string,
): Promise<void> {
  const known = targets.get(connect) ?? findTarget(workspace, connect)
  targets.set(connect, known)
  const { release, root, schemas } = await known
  const document = parseXml(xml)
  requireRelease(document, release)
  if (root === undefined) return
  const file = `${kind}.rng`
  try {
    const schema = schemas.get(file) ?? readInstalledSchema(root, file)
    if (schema === undefined) return
    schemas.set(file, schema)
    requireSchemaValid(document, schema, release)
  } catch (error) {
    // libvirt validates once more when it defines: that we cannot read its schema is no reason to refuse.
    if (!isVmpkgError(error, 'SCHEMA_UNUSABLE')) throw error
    workspace.outside.emit({ type: 'noted', message: error.message })
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
