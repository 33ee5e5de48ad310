/** Against a private host: its libvirt, its release and the schemas below its own root. */
import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { after, describe, test } from 'node:test'
import { isVmpkgError, type VmpkgError } from '../../src/errors.ts'
import { readInstalledRelease } from '../../src/host/libvirt-schemas.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { formatVersion } from '../../src/libvirt/version.ts'
import { privateFolders } from '../../src/operations/connection.ts'
import { findDefinitionViolations, validateDefinition } from '../../src/operations/validate-definition.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { privateHostMissing, startTestHost } from '../support/private-host.ts'

const missing = await privateHostMissing()

const DOMAIN = `<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os><devices>DEVICES</devices></domain>`
const domain = (devices: string): string => DOMAIN.replace('DEVICES', devices)

const refusal = async (work: Promise<void>): Promise<VmpkgError> => {
  try {
    await work
  } catch (error) {
    if (isVmpkgError(error)) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'it was accepted' })
}

describe('validateDefinition', { skip: missing }, async () => {
  if (missing !== false) return
  const host = await startTestHost()
  const connect = await Connect.open(host.uri)
  after(async () => {
    await connect.close()
    await host.stop()
  })

  /** A connection that has not been looked at yet, of the release that a test says. */
  const fresh = (release?: number): Connect =>
    Object.create(connect, { getLibVersion: { value: async () => release ?? connect.getLibVersion() } })

  const onPrivate = async (t: Parameters<typeof openLocalWorkspace>[0]): Promise<Workspace> => {
    const workspace = await openLocalWorkspace(t, { connect: 'private:test' })
    const { runtimeDir } = privateFolders(workspace)
    await mkdir(dirname(runtimeDir), { recursive: true })
    await symlink(host.runtimeDir, runtimeDir)
    return workspace
  }

  test('refuses by the schema of a private host’s libvirt, with path, line and release', async (t) => {
    const workspace = await onPrivate(t)
    const error = await refusal(validateDefinition(workspace, fresh(), 'domain', domain('<sond/>')))
    assert.equal(error.code, 'SCHEMA_INVALID')
    assert.match(error.message, /^libvirt \d+\.\d+\.\d+ does not take this XML: \/domain\/devices\/sond \(line 1\)/)
    await validateDefinition(workspace, fresh(), 'domain', domain(''))
    await validateDefinition(workspace, fresh(), 'network', '<network><name>a</name></network>')
    const network = await refusal(validateDefinition(workspace, fresh(), 'network', '<network/>'))
    assert.equal(network.code, 'SCHEMA_INVALID')
  })

  test('says the same as libvirt itself', async (t) => {
    const workspace = await onPrivate(t)
    const both = async (xml: string): Promise<readonly [boolean, boolean]> => {
      const ours = await validateDefinition(workspace, connect, 'domain', xml).then(
        () => true,
        () => false,
      )
      const theirs = await connect.domainDefineXML({ xml, flags: ['validate'] }).then(
        async (defined) => {
          await defined.undefine()
          return true
        },
        () => false,
      )
      return [ours, theirs]
    }
    assert.deepEqual(await both(domain("<input type='tablet' bus='usb'/>")), [true, true])
    assert.deepEqual(await both(domain("<input type='tablett' bus='usb'/>")), [false, false])
    assert.deepEqual(await both(domain("<serial type='pty'><taget/></serial>")), [false, false])
  })

  test('lists all that is wrong, what is too new once, and nothing where libvirt takes it', async (t) => {
    const workspace = await onPrivate(t)
    const found = async (kind: 'domain' | 'network', xml: string, release?: number): Promise<readonly string[]> =>
      (await findDefinitionViolations(workspace, fresh(release), kind, xml)).map(({ code, path }) => `${code} ${path}`)
    assert.deepEqual(await found('domain', domain('')), [])
    assert.deepEqual(await found('network', '<network/>'), ['SCHEMA_INVALID /network'])
    const both = domain("<sond/><input type='tablett' bus='usb'/>").replace(
      '<os>',
      "<features><ps2 state='off'/></features><os>",
    )
    const wrong = ['SCHEMA_INVALID /domain/devices/sond', 'SCHEMA_INVALID /domain/devices/input/@type']
    const release = await connect.getLibVersion()
    const tooNew = release < 10_007_000 ? ['HOST_UNSUPPORTED domain/features/ps2'] : []
    assert.deepEqual(await found('domain', both), [...tooNew, ...wrong])
  })

  test('names the release that is needed where the target is older', async (t) => {
    const workspace = await onPrivate(t)
    const xml = domain('').replace('<os>', "<features><ps2 state='off'/></features><os>")
    const error = await refusal(validateDefinition(workspace, fresh(9_000_000), 'domain', xml))
    assert.equal(error.code, 'HOST_UNSUPPORTED')
    assert.equal(error.message, 'domain/features/ps2 needs libvirt 10.7.0, and this host has 9.0.0')
    const found = await findDefinitionViolations(workspace, fresh(9_000_000), 'domain', xml)
    assert.deepEqual(found, [
      {
        code: 'HOST_UNSUPPORTED',
        path: 'domain/features/ps2',
        reason: 'needs libvirt 10.7.0, and this host has 9.0.0',
        allowed: [],
      },
    ])
  })

  test('reads this machine’s schemas for its own libvirt only, and none for another machine’s', async (t) => {
    const bad = domain('<sond/>')
    const local = await openLocalWorkspace(t, { connect: 'qemu:///system' })
    const installed = await readInstalledRelease('/')
    const same = formatVersion(await connect.getLibVersion()) === installed
    if (same) assert.equal((await refusal(validateDefinition(local, fresh(), 'domain', bad))).code, 'SCHEMA_INVALID')
    // Behind this socket may be a container with another libvirt.
    await validateDefinition(local, fresh(99_000_000), 'domain', bad)
    const remote = await openLocalWorkspace(t, { connect: 'qemu+ssh://example.org/system' })
    await validateDefinition(remote, fresh(), 'domain', bad)
  })
})
