import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import type { Capability } from '../../src/model/capability.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { type NetworkPolicyInput, verifyNetworkPolicy } from '../../src/render/network-policy.ts'
import { lanContext, readPartials, readTemplate, uplinkContext } from '../support/render-contexts.ts'

const partials = readPartials()
const capabilities: readonly Capability[] = [{ name: 'network', lan: 'uni', wan: 'uplink' }]
const lan: NetworkPolicyInput = {
  xml: renderNetwork({ template: readTemplate('router-uni/network.xml.hbs'), partials, context: lanContext }),
  context: lanContext,
  kind: 'lan',
  capabilities,
  granted: ['network'],
}
const uplink: NetworkPolicyInput = {
  xml: renderNetwork({ template: readTemplate('router-uni/uplink.xml.hbs'), partials, context: uplinkContext }),
  context: uplinkContext,
  kind: 'uplink',
  capabilities,
  granted: ['network'],
}

function refusal(input: NetworkPolicyInput): string {
  try {
    verifyNetworkPolicy(input)
    return 'passed'
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED'), String(error))
    return JSON.stringify(error.details['findings'])
  }
}

test('our own networks pass', () => {
  assert.equal(verifyNetworkPolicy(lan).xml, lan.xml)
  assert.equal(verifyNetworkPolicy(uplink).xml, uplink.xml)
})

test('a LAN with the host on it is refused', () => {
  const tricks: Record<string, [string | RegExp, string, RegExp]> = {
    'an address': ['<dns', "<ip address='10.1.1.1' netmask='255.255.255.0'/><dns", /network\/ip/],
    'an IPv6 address': ['<dns', "<ip family='ipv6' address='fd00::1' prefix='64'/><dns", /network\/ip/],
    forwarding: ['<dns', "<forward mode='nat'/><dns", /forward/],
    'an open network': ['<dns', "<forward mode='open'/><dns", /forward/],
    'DNS of libvirt': ["<dns enable='no'/>", "<dns enable='yes'/>", /dns/],
    'DNS by default': ["<dns enable='no'/>", '', /dns.*missing/],
    'IPv6 between guests': ['<network>', "<network ipv6='yes'>", /@ipv6/],
    'a MAC of libvirt’s choosing': [/<mac [^>]*>/, '', /network\/mac.*missing/],
    'another bridge': [/bridge name='[^']*'/, "bridge name='br0'", /bridge\/@name/],
    'a bridge with STP': ["stp='off'", "stp='on'", /stp/],
    'another name': ['<name>vmpkg-uni0', '<name>default', /network\/name/],
    'options for dnsmasq': [
      '<dns',
      '<d:options xmlns:d="http://libvirt.org/schemas/network/dnsmasq/1.0"/><dns',
      /d:options/,
    ],
    'port groups': ['<dns', "<portgroup name='x' default='yes'/><dns", /portgroup/],
    routes: ['<dns', "<route address='0.0.0.0' prefix='0' gateway='10.0.0.1'/><dns", /route/],
    metadata: ['<dns', '<metadata/><dns', /metadata/],
  }
  for (const [title, [where, what, reason]] of Object.entries(tricks)) {
    const xml = lan.xml.replace(where, what)
    assert.notEqual(xml, lan.xml, title)
    assert.match(refusal({ ...lan, xml }), reason, title)
  }
})

test('an uplink is NAT with the planned addresses and nothing else', () => {
  const tricks: [string | RegExp, string, RegExp][] = [
    ["mode='nat'", "mode='bridge'", /forward.*needs the capability host-bridge/],
    ["mode='nat'", "mode='nat' dev='eth0'", /forward\/@dev/],
    ['192.168.251.1', '192.168.1.1', /ip\/@address/],
    ["end='192.168.251.250'", "end='192.168.251.254'", /range\/@end/],
    ['<range', "<host mac='52:54:00:00:00:01' ip='192.168.251.9'/><range", /host/],
    ['<range', "<bootp file='x' server='1.2.3.4'/><range", /bootp/],
  ]
  for (const [where, what, reason] of tricks) {
    assert.match(refusal({ ...uplink, xml: uplink.xml.replace(where, what) }), reason)
  }
  assert.match(refusal({ ...lan, xml: uplink.xml, context: uplinkContext }), /forward/)
})

test('an uplink needs the capability and its grant; a LAN needs the capability', () => {
  assert.match(refusal({ ...uplink, granted: [] }), /needs the capability/)
  assert.match(refusal({ ...uplink, capabilities: [{ name: 'network', wan: 'uni' }] }), /needs the capability/)
  assert.match(refusal({ ...lan, capabilities: [] }), /needs the capability/)
  assert.equal(refusal({ ...lan, granted: [] }), 'passed')
})
