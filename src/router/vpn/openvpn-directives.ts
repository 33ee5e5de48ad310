/**
 * Every directive of OpenVPN that a profile may have: those kept, each with the grammar of its arguments, and those left
 * out with the reason; and those refused by name. Whatever is in none of the tables is refused too.
 *
 * Source: openvpn(8) of 2.6.
 */

/** One pattern an argument; the ones from `optional` on may be missing. */
export interface Grammar {
  readonly args: readonly RegExp[]
  readonly optional?: number
}

const NUMBER = /^[0-9]{1,9}$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$/
const NAMES = /^[A-Za-z0-9?][A-Za-z0-9:?_-]{0,240}$/
const TLS_VERSION = /^1\.[0-3]$/

const flag: Grammar = { args: [] }
const number: Grammar = { args: [NUMBER] }

/** Written out again, in this order. Where one is there twice, the last counts, as with OpenVPN. */
export const KEPT: ReadonlyMap<string, Grammar> = new Map([
  ['remote-random', flag],
  ['cipher', { args: [NAME] }],
  ['data-ciphers', { args: [NAMES] }],
  ['data-ciphers-fallback', { args: [NAME] }],
  ['auth', { args: [NAME] }],
  ['tls-cipher', { args: [/^[A-Za-z0-9!@+=:_-]{1,240}$/] }],
  ['tls-ciphersuites', { args: [NAMES] }],
  ['tls-groups', { args: [NAMES] }],
  ['ecdh-curve', { args: [NAME] }],
  ['tls-version-min', { args: [TLS_VERSION, /^or-highest$/], optional: 1 }],
  ['tls-version-max', { args: [TLS_VERSION] }],
  ['tls-cert-profile', { args: [/^(?:legacy|preferred|suiteb)$/] }],
  ['remote-cert-tls', { args: [/^server$/] }],
  ['remote-cert-ku', { args: [/^[0-9A-Fa-f]{1,4}$/, /^[0-9A-Fa-f]{1,4}$/, /^[0-9A-Fa-f]{1,4}$/], optional: 1 }],
  ['remote-cert-eku', { args: [/^[A-Za-z0-9][A-Za-z0-9. ]{0,63}$/] }],
  ['verify-x509-name', { args: [/^[ -~]{1,110}$/, /^(?:subject|name|name-prefix)$/], optional: 1 }],
  ['key-direction', { args: [/^[01]$/] }],
  ['topology', { args: [/^(?:subnet|net30|p2p)$/] }],
  ['keepalive', { args: [NUMBER, NUMBER] }],
  ['ping', number],
  ['ping-restart', number],
  ['ping-timer-rem', flag],
  ['reneg-sec', { args: [NUMBER, NUMBER], optional: 1 }],
  ['reneg-bytes', number],
  ['reneg-pkts', number],
  ['hand-window', number],
  ['tran-window', number],
  ['tls-timeout', number],
  ['replay-window', { args: [NUMBER, NUMBER], optional: 1 }],
  ['connect-retry', { args: [NUMBER, NUMBER], optional: 1 }],
  ['connect-timeout', number],
  ['explicit-exit-notify', { args: [/^[0-9]$/], optional: 0 }],
  ['tun-mtu', number],
  ['fragment', { args: [NUMBER, /^mtu$/], optional: 1 }],
  ['mssfix', { args: [NUMBER, /^(?:mtu|fixed)$/], optional: 0 }],
  ['sndbuf', number],
  ['rcvbuf', number],
  ['txqueuelen', number],
  ['fast-io', flag],
  ['comp-lzo', { args: [/^no$/] }],
  ['compress', { args: [/^(?:stub|stub-v2)$/], optional: 0 }],
])

/** Old names of kept ones. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['ncp-ciphers', 'data-ciphers'],
  ['server-poll-timeout', 'connect-timeout'],
])

const words = (text: string): readonly string[] => text.split(' ')
const table = (rows: readonly (readonly [reason: string, names: string])[]): ReadonlyMap<string, string> =>
  new Map(rows.flatMap(([reason, names]) => words(names).map((name) => [name, reason] as const)))

/** Left out without harm, by reason. */
export const LEFT_OUT = table([
  [
    'the router sets it itself',
    'nobind bind lport persist-key persist-tun persist-remote-ip persist-local-ip resolv-retry verb mute mute-replay-warnings auth-nocache auth-retry user group pull-filter ping-exit tls-exit up-delay connect-retry-max dev-node nice mlock passtos mark mtu-disc mtu-test disable-dco disable-occ errors-to-stderr suppress-timestamps machine-readable-output ifconfig-nowarn allow-recursive-routing',
  ],
  [
    'everything goes through the tunnel',
    'redirect-gateway redirect-private route route-nopull route-noexec route-gateway route-metric route-delay allow-pull-fqdn client-nat',
  ],
  ['the routers carry no IPv6', 'tun-ipv6 route-ipv6 route-ipv6-gateway ifconfig-ipv6 block-ipv6'],
  [
    'it concerns other systems',
    'block-outside-dns register-dns route-method ip-win32 tap-sleep dhcp-renew dhcp-release dhcp-pre-release windows-driver win-sys allow-nonadmin pause-exit show-net-up service cryptoapicert',
  ],
  ['it would tell the server about this machine', 'push-peer-info'],
  ['the server’s address stays what it is', 'float'],
  ['it is out of date', 'keysize ns-cert-type prng ncp-disable tun-mtu-extra link-mtu'],
])

/** Refused by name, by reason; what can run or load a program comes first. */
export const REFUSED = table([
  [
    'it runs a program on the router',
    'up down up-restart down-pre route-up route-pre-down ipchange tls-verify auth-user-pass-verify client-connect client-disconnect client-crresponse learn-address iproute tls-crypt-v2-verify auth-gen-token-secret dns-updown',
  ],
  [
    'it loads foreign code into OpenVPN',
    'plugin engine providers pkcs11-providers pkcs11-id pkcs11-id-management pkcs11-pin-cache pkcs11-protected-authentication pkcs11-private-mode pkcs11-cert-private',
  ],
  ['it reads another config', 'config'],
  [
    'it opens files of the router',
    'cd chroot log log-append status status-version writepid tmp-dir replay-persist tls-export-cert export-cert askpass capath pkcs12 client-config-dir ifconfig-pool-persist genkey test-crypto memstats syslog setcon',
  ],
  [
    'it opens another way into OpenVPN',
    'management management-client management-client-user management-client-group management-client-auth management-hold management-signal management-forget-disconnect management-query-passwords management-query-proxy management-query-remote management-up-down management-log-cache management-external-key management-external-cert',
  ],
  [
    'the router decides how OpenVPN runs',
    'daemon inetd persist mktun rmtun remap-usr1 single-session inactive gremlin',
  ],
  [
    'packets would go elsewhere than to the declared endpoint',
    'http-proxy http-proxy-option http-proxy-retry http-proxy-timeout http-proxy-user-pass socks-proxy socks-proxy-retry remote-random-hostname local multihome bind-dev',
  ],
  ['it gives the environment of OpenVPN another value', 'setenv-safe'],
  [
    'it belongs to a server',
    'mode server server-bridge server-ipv6 tls-server push push-reset push-remove push-continuation client-to-client duplicate-cn max-clients max-routes-per-client ifconfig-pool ifconfig-pool-linear ifconfig-push iroute iroute-ipv6 dh username-as-common-name ccd-exclusive verify-client-cert client-cert-not-required auth-gen-token auth-user-pass-optional opt-verify port-share tcp-nodelay tcp-queue-limit bcast-buffers hash-size connect-freq stale-routes-check vlan-tagging vlan-accept vlan-pvid disable',
  ],
  ['the tunnel would be a bridge', 'lladdr'],
  ['a shared static key gives no forward secrecy', 'secret allow-deprecated-insecure-static-crypto'],
  ['it switches a protection off', 'no-replay no-iv tls-remote auth-token'],
  ['the server assigns the address of the tunnel', 'ifconfig ifconfig-noexec'],
])

/** What to do about a refusal, where it is more than taking the line out. */
export const HINTS: ReadonlyMap<string, string> = new Map([
  ['up', 'Take the line out: the router takes care of resolver and routes itself.'],
  ['down', 'Take the line out: the router takes care of resolver and routes itself.'],
  ['pkcs12', 'Convert it with openssl pkcs12 and put the parts into <ca>, <cert> and <key>.'],
  ['askpass', 'Take the password off the key with openssl pkey, and the line out.'],
  ['tls-remote', 'Write verify-x509-name NAME name in its place.'],
  ['secret', 'Ask the provider for a profile with certificates.'],
])
