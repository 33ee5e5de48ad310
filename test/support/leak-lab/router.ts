/**
 * A router in a network, PID, mount and host name namespace of its own, whose root is the image's tree: its own init runs
 * its own scripts, which load the rules of the medium, name the cards, take a lease and answer on the agent's channel,
 * as in the guest. The host's part is here too: the LAN's port is down until the agent attests the rules.
 */
import { createHash, randomBytes } from 'node:crypto'
import { VmpkgError } from '../../../src/errors.ts'
import type { Sha256 } from '../../../src/model/digest.ts'
import {
  type AgentReply,
  type AgentVerb,
  findReply,
  formatRequest,
  verifyAttestation,
} from '../../../src/router/agent.ts'
import { type CardOrder, type Lab, plugCards } from './lab.ts'
import { type RouterFiles, withoutHardware } from './router-files.ts'

export interface Router {
  readonly files: RouterFiles
  /** The process that is 1 in the router's PID namespace. */
  readonly pid: number
  /** Waits for the agent's word that the router is up; `false` when it does not come. */
  ready(seconds?: number): Promise<boolean>
  ask(verb: AgentVerb): Promise<AgentReply>
  /** Bytes of any kind for the agent; its answers, of which `wanted` should come. */
  talk(bytes: Uint8Array, wanted: number): Promise<readonly string[]>
  /** Asks for the status and throws unless the rules of the medium are attested and the router says it is ready. */
  attest(): Promise<void>
  setLanLink(state: 'up' | 'down'): Promise<void>
  setWanLink(state: 'up' | 'down'): Promise<void>
  changeMedium(files: RouterFiles): Promise<void>
  /** A script for the image's shell, in the router; returns its output, throws when it fails. */
  shell(script: string): Promise<string>
  stop(): Promise<void>
}

/**
 * Values that a kernel may come with and that a router must not rely on: with them every setting of the boot script
 * counts.
 */
const HOSTILE = {
  disable_ipv6: ['ipv6', '0'],
  accept_ra: ['ipv6', '2'],
  forwarding: ['ipv6', '1'],
  rp_filter: ['ipv4', '0'],
  accept_redirects: ['ipv4', '1'],
  secure_redirects: ['ipv4', '1'],
  send_redirects: ['ipv4', '1'],
  accept_source_route: ['ipv4', '1'],
  proxy_arp: ['ipv4', '1'],
  arp_ignore: ['ipv4', '0'],
  arp_announce: ['ipv4', '0'],
} as const

const ROOT = '/run/router'
/** Binds what the tree takes from this machine: programs, libraries, devices that nobody can do harm with. */
const ENTER = `
set -eu
root=$1
bind() { mkdir -p "$root\${2%/*}"; [ -e "$root$2" ] || : >"$root$2"; mount --bind "$1" "$root$2"; }
bind_folder() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; }
mkdir -p "$root/proc" "$root/sys" "$root/run" "$root/dev" "$root/root" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib64"
bind /bin/busybox /usr/bin/busybox
bind "$(command -v nft)" /usr/sbin/nft
bind "$(command -v dnsmasq)" /usr/sbin/dnsmasq
! program=$(command -v openvpn) || bind "$program" /usr/sbin/openvpn
for name in tor nc.openbsd ssh wg wireguard-go; do ! program=$(command -v $name) || bind "$program" "/usr/bin/$name"; done
bind_folder "/usr/lib/$2" "/usr/lib/$2"
bind_folder /usr/lib64 /usr/lib64
for name in null urandom; do bind "/dev/$name" "/dev/$name"; done
[ ! -e /dev/net/tun ] || bind /dev/net/tun /dev/net/tun
: >"$root/dev/console"
exec chroot "$root" /usr/bin/busybox init >/dev/null 2>&1 </dev/null
`

export async function startRouter(lab: Lab, files: RouterFiles, order: CardOrder = 'planned'): Promise<Router> {
  const sha = createHash('sha256')
    .update(files.medium['nftables.nft'] ?? '')
    .digest('hex') as Sha256
  await lab.run('host', 'ip', 'netns', 'add', 'router')
  await lab.request('settings', { ns: 'router', values: hostileSettings() })
  await writeTree(lab, files)
  await lab.request('open-channel', { id: 'agent', node: `${ROOT}/dev/vport` })
  const plug = ['sh', '-c', plugCards(order)]
  await lab.request('when', { path: `${ROOT}/lab/plug`, ns: 'host', argv: plug, done: `${ROOT}/lab/plugged` })
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--uts', 'sh', '-c', ENTER, 'enter', ROOT]
  const argv = [...unshare, `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`]
  const { pid: outer } = await lab.request<{ pid: number }>('start', { id: 'router', ns: 'router', argv })
  const { pid } = await lab.request<{ pid: number }>('child-of', { pid: outer })
  const enter = ['nsenter', '--target', String(pid), '--net', '--mount', '--pid', '--uts', '--root', '--wd=/']
  const line = async (text: string, wanted: string, timeout: number): Promise<string | null> =>
    (await lab.request<{ line: string | null }>('ask', { id: 'agent', text, wanted, timeout })).line
  let expected = sha
  const router: Router = {
    files,
    pid,
    ready: async (seconds = 10) => (await line('', '"event":"ready"', seconds)) !== null,
    async ask(verb) {
      const nonce = randomBytes(16).toString('hex')
      const reply = findReply((await line(formatRequest(verb, nonce), nonce, 20)) ?? '')
      if (reply === undefined) throw unattested(`the agent gives no answer to ${verb}`)
      return reply
    },
    async talk(bytes, wanted) {
      const data = Buffer.from(bytes).toString('base64')
      return (
        await lab.request<{ lines: readonly string[] }>('talk', {
          id: 'agent',
          data,
          wanted,
          timeout: 30,
          of: 'router',
        })
      ).lines
    },
    async attest() {
      const reply = verifyAttestation(await router.ask('status'), expected, 'the router of the lab')
      if (reply.ready !== true) throw unattested('the router attests its rules and is not ready')
    },
    setLanLink: async (state) => void (await lab.run('host', 'ip', 'link', 'set', 'lan0', state)),
    setWanLink: async (state) => void (await lab.run('internet', 'ip', 'link', 'set', 'isp0', state)),
    async changeMedium(next) {
      expected = createHash('sha256')
        .update(next.medium['nftables.nft'] ?? '')
        .digest('hex') as Sha256
      await lab.request('write-files', { folder: `${ROOT}/lab/medium`, files: asFiles(next.medium), replace: true })
    },
    shell: (script) => lab.run('host', ...enter, '/usr/bin/busybox', 'sh', '-c', script),
    async stop() {
      await lab.request('end', { id: 'router' })
      await lab.request('close-channel', { id: 'agent', node: `${ROOT}/dev/vport` })
      await lab.run('host', 'ip', 'link', 'delete', 'lan0')
      await lab.run('internet', 'ip', 'link', 'delete', 'isp0')
      await lab.run('elsewhere', 'ip', 'link', 'delete', 'second0')
      await lab.run('host', 'ip', 'netns', 'delete', 'router')
    },
  }
  return router
}

function unattested(message: string): VmpkgError {
  return new VmpkgError('ATTESTATION_FAILED', message)
}

function hostileSettings(): Record<string, string> {
  const values: Record<string, string> = {
    'net/ipv4/ip_forward': '1',
    'net/ipv4/icmp_echo_ignore_broadcasts': '0',
    'net/netfilter/nf_conntrack_tcp_loose': '1',
  }
  for (const [name, [family, value]] of Object.entries(HOSTILE)) {
    for (const scope of ['all', 'default']) values[`net/${family}/conf/${scope}/${name}`] = value
  }
  return values
}

/** The tree without what is new at each start; once in a lab. */
async function makeSkeleton(lab: Lab): Promise<void> {
  const applets = (await lab.run('host', '/bin/busybox', '--list'))
    .split('\n')
    .filter((name) => /^[a-z0-9[]/.test(name))
  const folders = { bin: 'usr/bin', sbin: 'usr/sbin', lib: 'usr/lib', lib64: 'usr/lib64', 'var/run': '/run' }
  const state = { 'etc/resolv.conf': '/run/resolv.conf', 'etc/machine-id': '/run/machine-id' }
  const links: Record<string, string> = { ...folders, ...state }
  for (const name of applets) if (name !== 'busybox') links[`usr/bin/${name}`] = 'busybox'
  await lab.run(
    'host',
    'mkdir',
    '-p',
    ...['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'dev', 'mnt'].map((name) => `${ROOT}/${name}`),
  )
  await lab.request('link-files', { folder: ROOT, links })
}

async function writeTree(lab: Lab, files: RouterFiles): Promise<void> {
  if ((await lab.request<{ status: number }>('run', { ns: 'host', argv: ['test', '-e', ROOT] })).status !== 0)
    await makeSkeleton(lab)
  await lab.request('remove', { paths: [`${ROOT}/usr/lib/vmpkg`, `${ROOT}/lab`, `${ROOT}/dev/console`] })
  await lab.request('write-files', { folder: ROOT, files: withoutHardware(files) })
  await lab.request('write-files', { folder: `${ROOT}/lab/medium`, files: asFiles(files.medium) })
  const passwd = files.users.map(({ name, uid, gid }) => `${name}:x:${uid}:${gid}:${name}:/:/bin/false\n`).join('')
  const group = files.users.map(({ name, gid, group: own = name }) => `${own}:x:${gid}:\n`).join('')
  const accounts = { 'etc/passwd': [passwd, 0o644], 'etc/group': [group, 0o644] }
  await lab.request('write-files', { folder: ROOT, files: accounts })
}

function asFiles(texts: Readonly<Record<string, string>>): Record<string, readonly [string, number]> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, [text, 0o644]]))
}
