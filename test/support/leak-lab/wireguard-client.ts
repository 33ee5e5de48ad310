/**
 * People outside who come in by WireGuard: Debian's wireguard-go in the internet's namespace, with the file that vmpkg hands out.
 * A device has no address there, and all goes into its tunnel whatever its source, so that it is the router that decides. Devices
 * and processes are there as long as the lab; who comes in gets keys, and a handshake of his own in every scene.
 */
import { existsSync } from 'node:fs'
import type { Namespace } from './namespace.ts'
import { VPN } from './vpn.ts'

/** On the first there is a tap. */
export const WIREGUARD_ENDS = [VPN.device, 'tun6'] as const
type End = (typeof WIREGUARD_ENDS)[number]

/** A reason to skip tests that need WireGuard, or `false`. */
export function wireguardMissing(): string | false {
  const missing = ['/usr/bin/wg', '/usr/bin/wireguard-go', '/dev/net/tun'].filter((path) => !existsSync(path))
  return missing.length === 0 ? false : `There is no ${missing.join(', no ')}`
}

export async function makeWireguardEnds(namespace: Namespace): Promise<void> {
  for (const device of WIREGUARD_ENDS) {
    await namespace.request('start', { id: `end-${device}`, ns: 'internet', argv: ['wireguard-go', '-f', device] })
    const script = `n=0; until wg show ${device}; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.05; done`
    await namespace.run('internet', 'sh', '-c', script)
    await namespace.run('internet', 'ip', 'link', 'set', device, 'mtu', '1420', 'up')
  }
}

/** @param file for wg-quick @returns false where there is no handshake within these seconds */
export async function joinWireguard(
  namespace: Namespace,
  file: string,
  device: End = WIREGUARD_ENDS[0],
  seconds = 3,
): Promise<boolean> {
  const own = file.replace(/^Address = .*\n/m, '').replace(/^AllowedIPs = .*$/m, 'AllowedIPs = 0.0.0.0/0')
  await configure(namespace, device, own)
  return hasHandshake(namespace, device, seconds)
}

/** Since it was given its keys, or within these seconds. */
export async function hasHandshake(namespace: Namespace, device: End, seconds: number): Promise<boolean> {
  const done = `wg show ${device} latest-handshakes | grep -q '[1-9][0-9]*$'`
  const script = `n=0; until ${done}; do n=$((n + 1)); [ $n -lt ${Math.round(seconds * 20)} ] || exit 1; sleep 0.05; done`
  const { status } = await namespace.request<{ status: number }>('run', { ns: 'host', argv: ['sh', '-c', script] })
  return status === 0
}

export async function leaveWireguard(namespace: Namespace, device: End = WIREGUARD_ENDS[0]): Promise<void> {
  await configure(namespace, device, '[Interface]\n')
}

/** Peers that were there are forgotten, with what was agreed with them. */
async function configure(namespace: Namespace, device: End, text: string): Promise<void> {
  for (const input of ['[Interface]\n', text]) {
    const request = { ns: 'host', argv: ['wg', 'setconf', device, '/dev/stdin'], input }
    const { status, stderr } = await namespace.request<{ status: number; stderr: string }>('run', request)
    if (status !== 0) throw new Error(`wg setconf: ${stderr}`)
  }
}
