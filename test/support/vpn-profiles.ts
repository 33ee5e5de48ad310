/** VPN profiles in the style of common providers. Keys are made on the spot; nobody's server is named in them. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface VpnKeys {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly crl: string
  readonly staticKey: string
}

let made: VpnKeys | undefined

/** A certificate authority with one client, once for a test file. */
export function vpnKeys(): VpnKeys {
  made ??= makeKeys()
  return made
}

function makeKeys(): VpnKeys {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-test-'))
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', [...args], { cwd: folder, stdio: 'pipe' })
  }
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim()
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  try {
    openssl('req', '-x509', ...curve, '-subj', '/CN=Test CA', '-days', '3650', '-keyout', 'ca.key', '-out', 'ca.crt')
    openssl('req', ...curve, '-subj', '/CN=client', '-keyout', 'client.key', '-out', 'client.csr')
    openssl(
      'x509',
      '-req',
      '-in',
      'client.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-days',
      '3650',
      '-out',
      'client.crt',
    )
    execFileSync('sh', ['-c', ': > index.txt; echo 01 > crlnumber'], { cwd: folder })
    const config =
      '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=3650\n'
    execFileSync('sh', ['-c', 'cat > ca.cnf'], { cwd: folder, input: config })
    openssl('ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'ca.key', '-cert', 'ca.crt', '-out', 'ca.crl')
    return {
      ca: read('ca.crt'),
      cert: read('client.crt'),
      key: read('client.key'),
      crl: read('ca.crl'),
      staticKey: formatStaticKey(randomBytes(256)),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function formatStaticKey(bytes: Buffer): string {
  const lines = bytes.toString('hex').match(/.{32}/g) ?? []
  return ['-----BEGIN OpenVPN Static key V1-----', ...lines, '-----END OpenVPN Static key V1-----'].join('\n')
}

const block = (name: string, text: string): string => `<${name}>\n${text}\n</${name}>\n`

/** One text for each style. All can be accepted. */
export function openvpnSamples(): ReadonlyMap<string, string> {
  const { ca, cert, key, crl, staticKey } = vpnKeys()
  return new Map([
    [
      'generated-by-a-web-page',
      `# --------------------------------------------------------\n# Profile for a tester | https://example.org\n# --------------------------------------------------------\nclient\ndev tun\nremote 203.0.113.7 443\nresolv-retry infinite\nnobind\npersist-key\npersist-tun\nauth-nocache\nverb 3\nexplicit-exit-notify 5\npush-peer-info\nsetenv UV_IPV6 yes\nremote-cert-tls server\ncomp-lzo no\ndata-ciphers AES-256-GCM:AES-256-CBC\ndata-ciphers-fallback AES-256-CBC\nproto udp\nauth SHA512\n${block('ca', ca)}${block('cert', cert)}${block('key', key)}${block('tls-crypt', `#\n# 2048 bit OpenVPN static key\n#\n${staticKey}`)}`,
    ],
    [
      'many-servers-and-a-user',
      `client\r\ndev tun\r\nproto udp\r\nremote-random\r\n${['198.51.100.1 1194', '198.51.100.2 1195', '198.51.100.3 1301'].map((one) => `remote ${one}\r\n`).join('')}cipher AES-256-CBC\r\nping 10\r\nping-restart 60\r\nsndbuf 524288\r\nrcvbuf 524288\r\ntls-cipher TLS-DHE-RSA-WITH-AES-256-GCM-SHA384:TLS-DHE-RSA-WITH-AES-256-CBC-SHA\r\nmute-replay-warnings\r\ntun-mtu 1500\r\nmssfix 0\r\nreneg-sec 0\r\nblock-outside-dns\r\n${block('ca', ca).replaceAll('\n', '\r\n')}<auth-user-pass>\r\nsomebody\r\np@ss "word" \\ \r\n</auth-user-pass>\r\n`,
    ],
    [
      'old-and-weak',
      `client\ndev tun0\nproto tcp-client\nremote 192.0.2.10 501\nresolv-retry infinite\nnobind\npersist-key\npersist-tun\ncipher aes-128-cbc\nauth sha1\ntls-client\nremote-cert-tls server\ncompress\nverb 1\nreneg-sec 0\ndisable-occ\nkeysize 256\nroute 10.0.0.0 255.0.0.0 net_gateway\nuser nobody\ngroup nogroup\n${block('crl-verify', crl)}${block('ca', `Certificate:\n    Data:\n        Version: 3 (0x2)\n${ca}`)}<auth-user-pass>\nu\np\n</auth-user-pass>\n`,
    ],
    [
      'home-server',
      `--client\n--dev tun # as always\nkeepalive 10 120\n"verify-x509-name" 'server of the house' name\ndhcp-option DNS 10.8.0.1\ndhcp-option DOMAIN home.example\nredirect-gateway def1 bypass-dhcp\nsetenv opt block-outside-dns\nsetenv CLIENT_CERT 0\nignore-unknown-option data-ciphers-new\ndata-ciphers-new AES-256-GCM\nkey-direction 1\ncipher AES-256-GCM\ntls-version-min 1.2 or-highest\n<connection>\nremote 192.0.2.20 35000 udp4\n</connection>\n<connection>\nproto tcp\nport 443\nremote 192.0.2.20\n</connection>\n${block('ca', ca)}${block('cert', cert)}${block('key', key)}${block('tls-auth', staticKey)}`,
    ],
    [
      'by-fingerprint',
      `client\ndev tun\nremote 192.0.2.30\n${block('peer-fingerprint', Array.from({ length: 32 }, () => 'ab').join(':'))}${block('cert', cert)}${block('key', key)}`,
    ],
  ])
}

/** Key pairs of WireGuard are 32 bytes, and X25519 makes them. */
export function wireguardKey(): string {
  const { privateKey } = generateKeyPairSync('x25519')
  return privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64')
}

export function wireguardSample(): string {
  return `# Device: Happy Beaver\n[Interface]\nPrivateKey = ${wireguardKey()}\nAddress = 10.64.12.7/32,fc00:bbbb:bbbb:bb01::1:c06/128\nDNS = 10.64.0.1, fd00::1, lan.example\nMTU = 1380\nListenPort = 51820\n\n[Peer]\nPublicKey = ${wireguardKey()}\nPresharedKey=${wireguardKey()}\nAllowedIPs = 0.0.0.0/0,::0/0\nEndpoint = 198.51.100.4:51820\nPersistentKeepalive = 25\n`
}

/** An own profile for `ssh -w`, with keys made by `ssh-keygen`. */
export function sshSample(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-test-'))
  try {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(folder, 'key')])
    const [type = '', blob = ''] = readFileSync(join(folder, 'key.pub'), 'utf8').split(' ')
    const key = readFileSync(join(folder, 'key'), 'utf8')
    return `# to the house\nssh://tunnel@192.0.2.40:2222\nhost-key ${type} ${blob}\ntunnel 10.9.0.2/30\ndns 10.9.0.1\n${key}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
