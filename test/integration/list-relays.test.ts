/** The reader of Tor's consensus that router-gal has, run by the shell that it has there: what it takes, and what it refuses whole. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

const IMAGE = join(import.meta.dirname, '..', '..', 'templates', 'router-gal', 'image')
const SCRIPT = join(IMAGE, 'usr', 'lib', 'vmpkg', 'list-relays')
const FROM = Date.UTC(2026, 10, 26, 13) / 1000
const HEAD = ['network-status-version 3 microdesc', 'vote-status consensus', 'consensus-method 33']
const [AFTER, UNTIL] = ['valid-after 2026-11-26 13:00:00', 'valid-until 2026-11-26 16:00:00'] as const
const TIMES = [AFTER, 'fresh-until 2026-11-26 14:00:00', UNTIL]
const FOOTER = 'directory-footer'
const ENTRY = 's Fast Guard Running Stable Valid'
const relay = (where: string, flags = ENTRY): readonly string[] => [
  `r name AAAAAAAAAAAAAAAAAAAAAAAAAAA 2038-01-01 00:00:00 ${where} 0`,
  `m ${'A'.repeat(43)}`,
  flags,
]
const GOOD = relay('203.0.113.5 9001')
const whole = (...relays: readonly (readonly string[])[]): readonly string[] => [
  ...HEAD,
  ...TIMES,
  ...relays.flat(),
  FOOTER,
]

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  'another flavour': ['network-status-version 3', ...whole(GOOD).slice(1)],
  'a vote': [HEAD[0] ?? '', 'vote-status vote', ...TIMES, FOOTER],
  'one that ends in the middle': whole(GOOD).slice(0, -1),
  'no times': [...HEAD, ...GOOD, FOOTER],
  'a second end': [...HEAD, ...TIMES, 'valid-until 2036-11-26 16:00:00', FOOTER],
  'an end among the relays': [...HEAD, AFTER, ...GOOD, UNTIL, FOOTER],
  'an end before the start': [...HEAD, AFTER, 'valid-until 2025-11-26 16:00:00', FOOTER],
  'a time that is none': [...HEAD, AFTER, `${UNTIL}; x`, FOOTER],
  'an address with more behind it': whole(relay('203.0.113.5,0.0.0.0/0 9001')),
  'an address of three parts': whole(relay('203.0.113 9001')),
  'an address beyond 255': whole(relay('203.0.113.256 9001')),
  'an address in octal': whole(relay('203.0.0113.5 9001')),
  'an address that is a command': whole(relay('$(reboot) 9001')),
  'an address of IPv6': whole(relay('[2001:db8::5] 9001')),
  'port 0': whole(relay('203.0.113.5 0')),
  'a port that is too large': whole(relay('203.0.113.5 65536')),
  'a port that ends the command': whole(relay('203.0.113.5 1}')),
  'a relay with a word too many': whole(relay('203.0.113.5 9001 9002')),
  'a line without an end': whole([`s ${'x'.repeat(9000)}`]),
  'bytes that are no text': [...HEAD, '\0\u00ff\0'],
  'too many relays': whole(
    ...Array.from({ length: 32_769 }, (_, n) => relay(`20.${n >> 16}.${(n >> 8) & 255}.${n & 255} 443`)),
  ),
}

describe('list-relays', () => {
  const bin = mkdtempSync(join(tmpdir(), 'vmpkg-test-'))
  const read = (lines: readonly string[], now = FROM + 60): { status: number | null; said: string; why: string } => {
    const words = ['sh', SCRIPT, String(now)]
    const input = lines.map((line) => `${line}\n`).join('')
    const env = { PATH: bin, TZ: 'Asia/Tokyo' }
    const { status, stdout, stderr } = spawnSync('/bin/busybox', words, { env, input, encoding: 'utf8' })
    return { status, said: stdout, why: stderr }
  }

  before(() => symlinkSync('/bin/busybox', join(bin, 'awk')))
  after(() => rmSync(bin, { recursive: true, force: true }))

  test('takes relays that run and that a client enters by, each once and for as long as the consensus is valid', () => {
    const relays = [
      GOOD,
      GOOD,
      relay('203.0.113.6 443', 's Running V2Dir Valid'),
      relay('203.0.113.7 443', 's Authority Running Valid'),
      relay('203.0.113.8 443', 's Exit Fast Running Valid'),
      relay('203.0.113.9 443', 's Guard V2Dir Valid'),
      relay('203.0.113.10 443', 's Guard NotRunning InValid'),
      relay('127.0.0.1 443'),
      relay('0.0.0.0 443'),
      relay('224.0.0.1 443'),
    ]
    const places = ['203.0.113.5 . 9001', '203.0.113.6 . 443', '203.0.113.7 . 443']
    const elements = places.map((one) => `${one} timeout 10740s`).join(', ')
    const lines = ['# 3 10740', 'flush set inet vmpkg relays', `add element inet vmpkg relays { ${elements} }`]
    assert.deepEqual(read(whole(...relays)), { status: 0, said: `${lines.join('\n')}\n`, why: '' })
  })

  test('empties the set when the consensus is over, and trusts no clock for longer than it is valid', () => {
    assert.equal(read(whole(GOOD), FROM + 3 * 3600).said, '# 0 0\nflush set inet vmpkg relays\n')
    assert.match(read(whole(GOOD), FROM - 1_000_000).said, / timeout 10800s /)
    assert.equal(read(whole()).said, '# 0 10740\nflush set inet vmpkg relays\n')
  })

  for (const [what, lines] of Object.entries(REFUSED)) {
    test(`refuses ${what}, and says nothing for nft`, () => {
      const { status, said, why } = read(lines)
      assert.deepEqual({ status, said }, { status: 1, said: '' })
      assert.match(why, /^line \d+: /)
    })
  }
})
