/**
 * Somebody outside: Debian's OpenVPN as a client of the router's own server, in the internet's namespace, with the file that
 * vmpkg hands out. Its device has no address there: the client takes any packet that is put on it, whatever its source, so
 * that it is the router that decides, and what comes out of it is seen and goes nowhere.
 */
import type { Namespace } from './namespace.ts'
import { VPN } from './vpn.ts'

/** One client: its process, its device, which outlives it, and what it says. */
export interface RoadEnd {
  readonly id: string
  readonly device: string
  readonly log: string
}

export const FIRST_END: RoadEnd = { id: 'road', device: VPN.device, log: '/run/road.log' }
/** No tap is on its device. */
export const SECOND_END: RoadEnd = { id: 'second-road', device: 'tun6', log: '/run/second-road.log' }

export async function makeRoad(namespace: Namespace): Promise<void> {
  for (const { device } of [FIRST_END, SECOND_END]) {
    await namespace.run('internet', 'ip', 'tuntap', 'add', 'dev', device, 'mode', 'tun')
    await namespace.run('internet', 'ip', 'link', 'set', device, 'up')
  }
}

const OWN_WAY = '--dev-type tun --ifconfig-noexec --route-noexec --tmp-dir /run --connect-retry 1 1 --verb 3'

/** @param file the client's @returns false where it is not let in within these seconds */
export async function joinRoad(namespace: Namespace, file: string, end = FIRST_END, seconds = 5): Promise<boolean> {
  const { id, device, log } = end
  const argv = ['openvpn', '--config', '/dev/stdin', '--dev', device, ...OWN_WAY.split(' '), '--log', log]
  await namespace.run('host', 'rm', '-f', log)
  await namespace.request('start', { id, ns: 'internet', argv, input: file })
  return hasJoined(namespace, 1, seconds, end)
}

export const JOINED = 'Initialization Sequence Completed'

/** Whether it has been let in that many times since it began, or is within these seconds. */
export async function hasJoined(
  namespace: Namespace,
  times: number,
  seconds: number,
  { log } = FIRST_END,
): Promise<boolean> {
  const count = `grep -c '${JOINED}' ${log}`
  const script = `n=0; until [ "$(${count})" -ge ${times} ]; do n=$((n + 1)); [ $n -lt ${seconds * 20} ] || exit 1; sleep 0.05; done`
  const { status } = await namespace.request<{ status: number }>('run', { ns: 'host', argv: ['sh', '-c', script] })
  return status === 0
}

/** How often it has been let in. */
export async function countJoins(namespace: Namespace, { log } = FIRST_END): Promise<number> {
  return (await namespace.run('host', 'cat', log)).split(JOINED).length - 1
}

/** Puts a packet, made as a frame, into its tunnel. */
export async function sendByRoad(namespace: Namespace, { device }: RoadEnd, frame: Buffer): Promise<void> {
  const frames = [frame.subarray(14).toString('base64')]
  await namespace.request('send', { ns: 'internet', iface: device, frames })
}

export async function leaveRoad(namespace: Namespace, { id } = FIRST_END): Promise<void> {
  await namespace.request('end', { id }).catch(() => {})
}
