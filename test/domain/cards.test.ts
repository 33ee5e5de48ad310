import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCards } from '../../src/domain/cards.ts'

const domain = (...devices: readonly string[]): string => `<domain><devices>${devices.join('')}</devices></domain>`
const MAC = "<mac address='02:00:00:00:00:01'/>"
const mac = '02:00:00:00:00:01'
const ADDRESS = "<address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/>"
const BRIDGED = `<interface type='bridge'>${MAC}<source bridge='br0'/></interface>`

describe('readCards', () => {
  test('reads where each kind of interface leads, its MAC and its link', () => {
    const cards = readCards(
      domain(
        "<interface type='network'><mac address='02:00:00:00:00:0A'/><source network='uni0'/><link state='down'/></interface>",
        `<interface type='bridge'>${MAC}<source bridge='br0'/><link state='up'/></interface>`,
        `<interface type='direct'>${MAC}<source dev='eth0' mode='bridge'/></interface>`,
        `<interface type='user'>${MAC}</interface>`,
        `<interface type='hostdev'>${MAC}<source>${ADDRESS.replace('<address', "<address type='pci'")}</source></interface>`,
        `<interface type='vhostuser'>${MAC}<source type='unix' path='/s' mode='client'/></interface>`,
        `<interface type='network'>${MAC}</interface>`,
        `<interface type='udp'>${MAC}<source address='127.0.0.1' port='1'/><alias name='ua-lan0-uni0'/><link state='down'/></interface>`,
        `<interface type='user'>${MAC}<alias name='ua-uplink-vmpkg-uplink'/></interface>`,
      ),
      undefined,
    )
    assert.deepEqual(
      cards.map(({ place: { kind, name }, link }) => [kind, name, link]),
      [
        ['network', 'uni0', 'down'],
        ['bridge', 'br0', 'up'],
        ['device', 'eth0', 'up'],
        ['user', '', 'up'],
        ['pci', '0000:03:00.1', 'up'],
        ['other', 'vhostuser', 'up'],
        ['other', 'network', 'up'],
        ['network', 'uni0', 'down'],
        ['network', 'vmpkg-uplink', 'up'],
      ],
    )
    assert.equal(cards[0]?.mac, '02:00:00:00:00:0a')
  })

  test('reads PCI devices that are given away, and no USB ones', () => {
    const pci = `<hostdev mode='subsystem' type='pci' managed='yes'><source>${ADDRESS}</source></hostdev>`
    const usb = "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"
    assert.deepEqual(readCards(domain(usb, pci), undefined), [
      { place: { kind: 'pci', name: '0000:03:00.1' }, link: 'up', isNext: false },
    ])
  })

  test('of a running machine takes what runs, and from the stored definition what is only there', () => {
    const stored = domain(`<interface type='network'>${MAC}<source network='uni1'/></interface>`, BRIDGED)
    const running = domain(BRIDGED.replace('<source', "<link state='down'/><source"))
    assert.deepEqual(readCards(stored, running), [
      { mac, place: { kind: 'bridge', name: 'br0' }, link: 'down', isNext: false },
      { mac, place: { kind: 'network', name: 'uni1' }, link: 'up', isNext: true },
    ])
  })
})
