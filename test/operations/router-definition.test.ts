import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { routerPlanOf } from '../../src/operations/router-definition.ts'
import type { Definition } from '../../src/state/definitions.ts'

const PLAN = { machineId: '0'.repeat(32), lan: {}, wanNic: {}, lanNic: {} }

function definition(context: Definition['context']): Definition {
  return { uuid: '', kind: 'domain', name: 'router-uni', package: 'router-uni', rendered: '', defined: '', context }
}

describe('the plan of a router that the state database has', () => {
  test('of a time when WireGuard was all there was says by what device and protocol people come in', () => {
    const home = { port: 51_820, cidr: '10.8.0.0/24', address: '10.8.0.1', prefix: 24, peers: [] }
    const read = routerPlanOf(definition({ ...PLAN, home })).home
    assert.deepEqual(read, { ...home, device: 'home', protocol: 'udp' })
    assert.equal(routerPlanOf(definition(PLAN)).home, undefined)
  })

  test('is none where it is that of something else', () => {
    assert.throws(() => routerPlanOf(definition({ ...PLAN, lan: undefined })), { code: 'STATE_INVALID' })
  })
})
