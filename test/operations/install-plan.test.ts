import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainCapability } from '../../src/operations/install-plan.ts'

test('each capability is explained by what it lets a package do', () => {
  const texts = [
    explainCapability({ name: 'network', lan: 'uni', wan: 'uplink' }),
    explainCapability({ name: 'network', wan: 'uni' }),
    explainCapability({ name: 'network', lan: 'gal' }),
    explainCapability({ name: 'host-bridge', optional: true }),
    explainCapability({ name: 'pci', class: 'network', optional: false }),
    explainCapability({ name: 'hugepages', optional: true }),
  ]
  assert.deepEqual(texts, [
    'a network card on this host’s uplink',
    'a network card on the uni LAN',
    'a network card on a LAN of its own',
    'a network card on a bridge of this host',
    'a PCI device of class network, taken away from this host while it runs',
    'memory from this host’s hugepages',
  ])
})
