/**
 * The far end of a tunnel: Debian's OpenVPN in the internet's namespace, on a device that outlives it, so that a tap on it
 * sees what has come through, and a resolver behind it. The server believes a client whatever source it sends with, and
 * sends it whatever target is asked for: what is wrong in the tunnel is the router's to stop, and is seen.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseVpnProfile, type VpnProfile } from '../../../src/router/vpn-profile.ts'
import type { Namespace } from './namespace.ts'

export const VPN = {
  server: '203.0.113.44',
  port: 1194,
  device: 'vpn0',
  /** Of the router, in the tunnel. */
  address: '10.8.0.2',
  resolver: '10.8.0.1',
} as const

/** A reason to skip tests that need a tunnel, or `false`. */
export function vpnMissing(): string | false {
  const missing = ['/usr/sbin/openvpn', '/usr/bin/openssl', '/dev/net/tun'].filter((path) => !existsSync(path))
  return missing.length === 0 ? false : `There is no ${missing.join(', no ')}`
}

interface Ends {
  readonly server: string
  readonly profile: VpnProfile
}

let made: Ends | undefined

/** Keys of the server and of the router, once for a test file. */
export function vpnEnds(): Ends {
  made ??= makeEnds()
  return made
}

function makeEnds(): Ends {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-leak-'))
  try {
    execFileSync('bash', [join(import.meta.dirname, '..', 'openvpn-pair.sh'), 'keys', folder])
    const blocks = (name: string): string =>
      Object.entries({ ca: 'ca.crt', cert: `${name}.crt`, key: `${name}.key` })
        .map(([block, file]) => `<${block}>\n${readFileSync(join(folder, file), 'utf8').trim()}\n</${block}>\n`)
        .join('')
    const remote = `remote ${VPN.server} ${VPN.port}`
    const text = `client\ndev tun\nproto udp\n${remote}\ncipher AES-256-GCM\nremote-cert-tls server\n${blocks('client')}`
    return { server: `${SERVER}${blocks('server')}`, profile: parseVpnProfile('lab', text) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const CLIENTS = '/run/vpn-clients'
/** It pushes routes past the tunnel, which no router may take. */
const SERVER = `
dev ${VPN.device}
dev-type tun
local ${VPN.server}
port ${VPN.port}
proto udp4
topology subnet
server 10.8.0.0 255.255.255.0
ifconfig-noexec
route-noexec
client-config-dir ${CLIENTS}
dh none
ping 1
push "ping 1"
push "ping-restart 3"
push "dhcp-option DNS ${VPN.resolver}"
push "redirect-gateway def1"
push "route 203.0.113.128 255.255.255.128 net_gateway"
verb 0
`
const CLIENT = `ifconfig-push ${VPN.address} 255.255.255.0\niroute 0.0.0.0 0.0.0.0\n`

const RESOLVER = `
user=root
interface=${VPN.device}
listen-address=${VPN.resolver}
except-interface=lo
bind-interfaces
no-resolv
no-hosts
address=/example.net/203.0.113.80
`

export async function makeVpn(namespace: Namespace): Promise<void> {
  await namespace.run('internet', 'ip', 'tuntap', 'add', 'dev', VPN.device, 'mode', 'tun')
  await namespace.run('internet', 'ip', 'address', 'add', `${VPN.resolver}/24`, 'dev', VPN.device)
  await namespace.run('internet', 'ip', 'address', 'add', `${VPN.server}/32`, 'dev', 'lo')
  await namespace.run('internet', 'ip', 'link', 'set', VPN.device, 'up')
  await namespace.request('write-files', { folder: CLIENTS, files: { client: [CLIENT, 0o644] } })
  const argv = ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/stdin', '--pid-file=']
  await namespace.request('start', { id: 'vpn-names', ns: 'internet', argv, input: RESOLVER })
  await startServer(namespace)
}

export async function startServer(namespace: Namespace): Promise<void> {
  const input = vpnEnds().server
  await namespace.request('start', { id: 'vpn', ns: 'internet', argv: ['openvpn', '--config', 'stdin'], input })
}

export async function killServer(namespace: Namespace): Promise<void> {
  await namespace.request('end', { id: 'vpn' })
}
