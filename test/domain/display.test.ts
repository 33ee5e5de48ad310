import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readDisplay } from '../../src/domain/display.ts'

const domain = (graphics: string): string => `<domain><devices>${graphics}</devices></domain>`

describe('readDisplay', () => {
  for (const [what, graphics, uri] of [
    [
      'a VNC port',
      "<graphics type='vnc' port='5901' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>",
      'vnc://127.0.0.1:5901',
    ],
    [
      'a SPICE port at an IPv6 address',
      "<graphics type='spice' port='5900'><listen type='address' address='::1'/></graphics>",
      'spice://[::1]:5900',
    ],
    [
      'a socket',
      "<graphics type='vnc' socket='/run/a b/vnc.sock'><listen type='socket' socket='/run/a b/vnc.sock'/></graphics>",
      'vnc+unix:///run/a%20b/vnc.sock',
    ],
    [
      'SPICE before VNC',
      "<graphics type='vnc' port='5901' listen='127.0.0.1'/><graphics type='spice' port='5902' listen='127.0.0.1'/>",
      'spice://127.0.0.1:5902',
    ],
  ] as const) {
    test(`finds ${what}`, () => {
      assert.equal(readDisplay(domain(graphics))?.uri, uri)
    })
  }

  for (const [what, graphics] of [
    ['no graphics', ''],
    ['graphics that nobody can connect to', "<graphics type='spice'><listen type='none'/></graphics>"],
    ['a port that is not given yet', "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"],
    ['a window of QEMU itself', "<graphics type='egl-headless'/>"],
  ] as const) {
    test(`finds none in ${what}`, () => {
      assert.equal(readDisplay(domain(graphics)), undefined)
    })
  }
})
