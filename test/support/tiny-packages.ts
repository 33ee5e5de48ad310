/**
 * Packages for tests that need real ones but no guest system: the real network templates and rules, disks of 64 KiB with
 * nothing on them. Their machines start as far as the firmware, and never become ready.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestPackage, testImage } from './registry-builder.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')
const real = (path: string): string => readFileSync(join(TEMPLATES, path), 'utf8')

function domain(disk: 'root-disk' | 'overlay-disk', more = ''): string {
  return `<domain type='{{host.virtType}}'>
  {{> identity}}
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {{> cpu}}
  {{> lifecycle}}
  <devices>
    <emulator>{{host.emulator}}</emulator>
    {{> ${disk}}}
    {{> medium}}
    {{> nics}}
    {{> headless}}
    ${more}
  </devices>
</domain>
`
}

export interface TinyOptions {
  /** Lines of YAML for the manifest. */
  readonly manifest?: string
  /** Elements for the end of the domain's devices. */
  readonly devices?: string
  readonly image?: Uint8Array
}

/** A router of layer uni that waits two seconds for a guest that is not there. */
export function tinyRouter(name: string, { manifest = '', devices, image }: TinyOptions = {}): TestPackage {
  return {
    name,
    manifest: `kind: router
layer: uni
capabilities: [network: { lan: uni, wan: uplink }]
parameters:
  memory: { type: size, default: 32MiB, minimum: 32MiB, maximum: 1GiB }
  uplink: { type: uplink, default: auto }
templates: { domain: domain.xml.hbs, network: network.xml.hbs, uplink: uplink.xml.hbs }
guest: { files: guest/ }
ready: { agent: rules-loaded, timeoutSeconds: 2 }
${manifest}`,
    images: { root: image ?? testImage(name) },
    files: {
      'domain.xml.hbs': domain('root-disk', devices),
      'network.xml.hbs': real('router-uni/network.xml.hbs'),
      'uplink.xml.hbs': real('router-uni/uplink.xml.hbs'),
      'guest/nftables.nft.hbs': real('router-uni/guest/nftables.nft.hbs'),
    },
  }
}

const PROFILES = `  vpn: { type: file, format: vpn-profile }
  profiles: { type: file, format: vpn-profiles, optional: true }
`

/** A router behind one of those, of layer gal by default, with parameters for VPN profiles. */
export function tinyLower(name: string, layer = 'gal', wan = 'uni', depends = 'router-tiny'): TestPackage {
  const uni = tinyRouter(name)
  const manifest = uni.manifest
    ?.replace('layer: uni', `layer: ${layer}`)
    .replace('{ lan: uni, wan: uplink }', `{ lan: ${layer}, wan: ${wan} }`)
    .replace(', uplink: uplink.xml.hbs', '')
    .replace('  uplink:', `${PROFILES}  uplink:`)
  const { 'uplink.xml.hbs': _, ...files } = uni.files ?? {}
  return { ...uni, ...(manifest === undefined ? {} : { manifest: `${manifest}\ndepends: [${depends}]` }), files }
}

/** An app whose clones get a card on a uni LAN. */
export function tinyApp(name: string, { manifest = '', devices, image }: TinyOptions = {}): TestPackage {
  return {
    name,
    manifest: `kind: app
capabilities: [network: { wan: uni }]
parameters: { memory: { type: size, default: 32MiB, minimum: 32MiB, maximum: 1GiB } }
${manifest}`,
    images: { disk: image ?? testImage(name) },
    files: { 'domain.xml.hbs': domain('overlay-disk', devices) },
  }
}
