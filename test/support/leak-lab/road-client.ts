/**
 * Somebody outside: Debian's OpenVPN as a client of the router's own server, in the internet's namespace, with the file that
 * vmpkg hands out. Its device has no address there: the client takes any packet that is put on it, whatever its source, so
 * that it is the router that decides, and what comes out of it is seen and goes nowhere.
 */
import type { Namespace } from './namespace.ts'
import type { Road } from './road.ts'
import { VPN } from './vpn.ts'

/** The client's device, which outlives its program. */
export async function makeRoad(namespace: Namespace): Promise<void> {
  await namespace.run('internet', 'ip', 'tuntap', 'add', 'dev', VPN.device, 'mode', 'tun')
  await namespace.run('internet', 'ip', 'link', 'set', VPN.device, 'up')
}

export const ROAD_LOG = '/run/road.log'
const OWN_WAY = [
  '--dev',
  VPN.device,
  '--dev-type',
  'tun',
  '--ifconfig-noexec',
  '--route-noexec',
  '--tmp-dir',
  '/run',
  '--connect-retry',
  '1',
  '1',
  '--verb',
  '3',
]

/** False where the client is not let in within five seconds. */
export async function joinRoad(namespace: Namespace, { file }: Road): Promise<boolean> {
  const argv = ['openvpn', '--config', '/dev/stdin', ...OWN_WAY, '--log', ROAD_LOG]
  await namespace.run('host', 'rm', '-f', ROAD_LOG)
  await namespace.request('start', { id: 'road', ns: 'internet', argv, input: file })
  return hasJoined(namespace, 1, 5)
}

/** Whether it has been let in that many times since it began, or is within these seconds. */
export async function hasJoined(namespace: Namespace, times: number, seconds: number): Promise<boolean> {
  const count = `grep -c 'Initialization Sequence Completed' ${ROAD_LOG}`
  const script = `n=0; until [ "$(${count})" -ge ${times} ]; do n=$((n + 1)); [ $n -lt ${seconds * 20} ] || exit 1; sleep 0.05; done`
  const { status } = await namespace.request<{ status: number }>('run', { ns: 'host', argv: ['sh', '-c', script] })
  return status === 0
}

export async function leaveRoad(namespace: Namespace): Promise<void> {
  await namespace.request('end', { id: 'road' }).catch(() => {})
}
