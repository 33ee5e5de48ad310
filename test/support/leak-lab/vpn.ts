/**
 * The far end of a tunnel: Debian's OpenVPN or OpenSSH in the internet's namespace, on a device that outlives it, so that a tap on it
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
  sshPort: 2222,
  /** The name that sshd asks for. */
  device: 'tun5',
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

/** What the server is. */
export type VpnKind = 'openvpn' | 'ssh'

const made: Partial<Record<VpnKind, Ends>> = {}

/** Keys of the server and of the router, once for a test file. */
export function vpnEnds(kind: VpnKind = 'openvpn'): Ends {
  const found = made[kind] ?? (kind === 'ssh' ? makeSshEnds() : makeEnds())
  made[kind] = found
  return found
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

/** The server's files, as it finds them in one folder. */
function makeSshEnds(): Ends {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-leak-'))
  try {
    for (const name of ['host', 'user'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, name)])
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
    const lines = [
      `ssh://root@${VPN.server}:${VPN.sshPort}`,
      `host-key ${read('host.pub').trim()}`,
      `tunnel ${VPN.address}/24`,
      `dns ${VPN.resolver}`,
      'device 5',
    ]
    const profile = parseVpnProfile('lab', `${lines.join('\n')}\n${read('user')}`)
    return { server: JSON.stringify({ key: read('host'), allowed: read('user.pub') }), profile }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const SSHD = '/run/sshd'
const SSHD_CONFIG = `
Port ${VPN.sshPort}
ListenAddress ${VPN.server}
HostKey ${SSHD}/key
AuthorizedKeysFile ${SSHD}/allowed
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitTunnel point-to-point
ClientAliveInterval 2
`

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

export async function makeVpn(namespace: Namespace, kind: VpnKind): Promise<void> {
  await namespace.run('internet', 'ip', 'tuntap', 'add', 'dev', VPN.device, 'mode', 'tun')
  await namespace.run('internet', 'ip', 'address', 'add', `${VPN.resolver}/24`, 'dev', VPN.device)
  await namespace.run('internet', 'ip', 'address', 'add', `${VPN.server}/32`, 'dev', 'lo')
  await namespace.run('internet', 'ip', 'link', 'set', VPN.device, 'up')
  await namespace.request('write-files', { folder: CLIENTS, files: { client: [CLIENT, 0o644] } })
  const argv = ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/stdin', '--pid-file=']
  await namespace.request('start', { id: 'vpn-names', ns: 'internet', argv, input: RESOLVER })
  if (kind === 'ssh') {
    const { key, allowed } = JSON.parse(vpnEnds('ssh').server) as { key: string; allowed: string }
    const files = {
      key: [key, 0o600],
      allowed: [allowed, 0o644],
      config: [SSHD_CONFIG, 0o644],
      shadow: ['root:*:1::::::\n', 0o600],
    } as const
    await namespace.request('write-files', { folder: SSHD, files })
  }
  await startServer(namespace, kind)
}

export async function startServer(namespace: Namespace, kind: VpnKind): Promise<void> {
  if (kind === 'ssh') {
    // All its processes end together. Where root has no password sshd takes the account for a locked one.
    const script = `mount --bind ${SSHD}/shadow /etc/shadow && exec /usr/sbin/sshd -D -E ${SSHD}/log -f ${SSHD}/config`
    const argv = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script]
    await namespace.request('start', { id: 'vpn', ns: 'internet', argv })
    return
  }
  const input = vpnEnds().server
  await namespace.request('start', { id: 'vpn', ns: 'internet', argv: ['openvpn', '--config', 'stdin'], input })
}

export async function killServer(namespace: Namespace): Promise<void> {
  await namespace.request('end', { id: 'vpn' })
}
