/** What Node cannot do says so, and what to use. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Domain } from '../../src/libvirt/domain.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'

const invoker = { invoke: () => assert.fail('nothing may be sent') }
const domain = new Domain(invoker, { name: 'a', uuid: '00010203-0405-0607-0809-0a0b0c0d0e0f', id: -1 })

describe('calls that pass descriptors', () => {
  for (const method of [
    'createWithFiles',
    'fdAssociate',
    'openGraphics',
    'openGraphicsFD',
    'monitorCommandWithFiles',
  ] as const)
    test(`${method} sends nothing, and its error says why and what to use`, async () => {
      await assert.rejects(
        domain[method](),
        (error) =>
          error instanceof LibvirtError &&
          error.is('noSupport') &&
          error.local &&
          /^DOMAIN_\w+ passes a file descriptor, which Node\.js can neither .*; \w+/.test(error.message),
      )
    })
})
