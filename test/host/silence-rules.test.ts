import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { formatSilence, judgeSilence, parseSilence, silenceChains } from '../../src/host/silence-rules.ts'

const UPLINK = { bridge: 'vmp-uplink', address: '192.168.130.1' }

test('without networks there are no tables', () => {
  assert.deepEqual(silenceChains({ lans: [], uplinks: [] }), [])
  for (const line of formatSilence([], undefined).trim().split('\n'))
    assert.match(line, /^(?:add|delete) table \S+ vmpkg$/)
})

test('an uplink alone closes no LAN, and each LAN has a chain of its own on its bridge', () => {
  const alone = formatSilence(silenceChains({ lans: [], uplinks: [UPLINK] }), undefined)
  assert.doesNotMatch(alone, /\{ {2}\}|iifname \{ \}/)
  const two = silenceChains({ lans: ['vmp-uni0', 'vmp-gal0'], uplinks: [UPLINK] })
  const hooked = two.filter(({ table }) => table === 'netdev').map(({ name, policy }) => `${name} ${policy}`)
  assert.deepEqual(hooked, ['from-vmp-uni0 drop', 'from-vmp-gal0 drop', 'from-vmp-uplink drop'])
})

test('no name or address is pasted into rules that could be more than that', () => {
  for (const lan of ['', 'a"; drop', 'a b', '-a', 'a'.repeat(16), 'ä']) {
    assert.throws(
      () => silenceChains({ lans: [lan], uplinks: [] }),
      (error) => isVmpkgError(error, 'HOST_RULES_FAILED'),
    )
  }
  for (const address of ['', '::1', '192.168.130.1 accept', '192.168.130']) {
    assert.throws(
      () => silenceChains({ lans: [], uplinks: [{ ...UPLINK, address }] }),
      (error) => isVmpkgError(error, 'HOST_RULES_FAILED'),
    )
  }
})

test('a listing is understood as nft of other releases words it', () => {
  const chains = silenceChains({ lans: ['vmp-uni0'], uplinks: [] })
  const netdev = (hook: string): string => {
    const rest = chains
      .filter(({ table }) => table !== 'netdev')
      .map(({ table, name, type, rules }) => {
        const marked = formatSilence(chains, [])
          .split('\n')
          .filter((line) => line.startsWith(`add rule ${table} vmpkg ${name} `))
          .map((line) => `\t\t${line.slice(`add rule ${table} vmpkg ${name} `.length)}`)
        assert.equal(marked.length, rules.length)
        return `table ${table} vmpkg {\n\tchain ${name} {\n\t\t${type.replace('-10', 'filter - 10')}\n${marked.join('\n')}\n\t}\n}\n`
      })
    return `${rest.join('')}table netdev vmpkg {\n\tchain from-vmp-uni0 {\n\t\t${hook}\n\t}\n}\n`
  }
  const words = (device: string): string => `type filter hook ingress ${device} priority -500; policy drop;`
  for (const device of ['device "vmp-uni0"', 'device vmp-uni0', 'devices = { "vmp-uni0" }', 'devices = { vmp-uni0 }']) {
    assert.deepEqual(judgeSilence(chains, parseSilence(netdev(words(device)))), [], device)
  }
  assert.match(judgeSilence(chains, parseSilence(netdev(words('device "vmp-uni1"')))).join(), /is not vmp-uni0/)
})
