/** What is asked for: all that the rendering needs, nothing that it does not, and nothing where it would be refused anyway. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { type Capability, type GrantName, grantName } from '../../src/model/capability.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { findMissingDomainGrants, verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import { consoleContext, readPartials, readTemplate } from '../support/render-contexts.ts'

const client = renderDomain({
  template: readTemplate('app-console/domain.xml.hbs'),
  partials: readPartials(),
  context: consoleContext,
})
const lan: Capability = { name: 'network', wan: 'uni' }
const read: Capability = { name: 'host-file', access: 'read' }
const write: Capability = { name: 'host-file', access: 'write' }
const vsock: Capability = { name: 'vsock' }
const tunnel: Capability = { name: 'tunnel' }
const socket = "<vsock model='virtio'><cid auto='yes'/></vsock>"
const disk = (name: string, access = ''): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/d'/><target dev='${name}' bus='virtio'/>${access}</disk>`

function input(devices: string, capabilities: readonly Capability[], granted: readonly GrantName[] = []) {
  const xml = client.replace('</devices>', `${devices}</devices>`)
  const choices = { texts: ['/srv/d'], devices: {} }
  return { xml, context: consoleContext, capabilities: [lan, ...capabilities], granted, choices }
}
const missing = (...args: Parameters<typeof input>): readonly string[] =>
  findMissingDomainGrants(input(...args)).map(grantName)

test('what is declared, needed and not granted is missing, and nothing else', () => {
  assert.deepEqual(missing('', [vsock, write]), [])
  assert.deepEqual(missing(socket, [write, tunnel, vsock]), ['vsock'])
  assert.deepEqual(missing(socket, [vsock], ['vsock']), [])
  assert.deepEqual(missing(socket + disk('vdb'), [vsock, write]), ['vsock', 'host-file:write'])
  assert.deepEqual(missing(socket + disk('vdb'), [vsock, write], ['host-file']), ['vsock'])
})

test('writing is asked for where it is written, and then reading is not asked for beside it', () => {
  assert.deepEqual(missing(disk('vdb'), [read, write]), ['host-file:write'])
  assert.deepEqual(missing(disk('vdb', '<readonly/>'), [read, write]), ['host-file:read'])
  assert.deepEqual(missing(disk('vdb', '<readonly/>'), [write]), ['host-file:write'])
})

test('nothing is asked for where the rendering would be refused all the same', () => {
  for (const [devices, capabilities] of [
    [socket, []],
    [socket + disk('vdb'), [vsock]],
    [`${socket}<lease><lockspace>x</lockspace></lease>`, [vsock]],
    [disk('vdb').replace('/srv/d', '/etc/shadow'), [write]],
  ] as const) {
    assert.throws(
      () => missing(devices, capabilities),
      (error) => isVmpkgError(error, 'POLICY_REFUSED'),
      devices,
    )
  }
})

test('with what is asked for it passes, and with any less it does not', () => {
  const parts = fc.subarray([socket, disk('vdb'), disk('vdc', '<readonly/>')])
  const capability = fc.subarray([read, write, vsock, tunnel])
  const grant = fc.subarray<GrantName>(['host-file:read', 'host-file', 'vsock', 'pci'])
  fc.assert(
    fc.property(parts, capability, grant, (devices, capabilities, granted) => {
      const asked = input(devices.join(''), capabilities, granted)
      let needed: readonly Capability[]
      try {
        needed = findMissingDomainGrants(asked)
      } catch (error) {
        assert.ok(isVmpkgError(error, 'POLICY_REFUSED'))
        const all = capabilities.map(grantName)
        assert.throws(() => verifyDomainPolicy({ ...asked, granted: [...granted, ...all] }))
        return
      }
      const names = needed.map(grantName)
      verifyDomainPolicy({ ...asked, granted: [...granted, ...names] })
      for (const name of names) {
        const less = names.filter((other) => other !== name)
        assert.throws(() => verifyDomainPolicy({ ...asked, granted: [...granted, ...less] }))
      }
    }),
    { numRuns: 100 },
  )
})
