/**
 * Loads and reads back what keeps this host off the bridges of vmpkg's networks: rules (`silence-rules.ts`) and settings of
 * the kernel. All that it runs is run where those bridges are, in this machine's network or in a private host's.
 */
import { VmpkgError } from '../errors.ts'
import type { Processes, RunResult } from '../ports.ts'
import {
  formatSilence,
  judgeSilence,
  type OwnBridges,
  type PresentChain,
  parseSilence,
  silenceChains,
} from './silence-rules.ts'
import { checkTools, SYSTEM_PATH } from './tools.ts'

/** Where the bridges are. */
export interface BridgeHost {
  readonly processes: Processes
  /** Words before each command, such as those of nsenter. */
  readonly prefix: readonly string[]
}

/** One by one: several in one go are not all found by nft 1.0.6. */
const LIST = 'for family in inet arp netdev; do nft list table "$family" vmpkg || exit 1; done'

/** What is not as it should be, in words; nothing where all holds. @throws {VmpkgError} `TOOL_MISSING` `HOST_RULES_FAILED` */
export async function findSilenceFaults(host: BridgeHost, bridges: OwnBridges): Promise<readonly string[]> {
  const present = await readChains(host)
  const settings = await findSettingFaults(host, bridges)
  if (isEmpty(bridges)) return present === undefined ? [] : ['tables vmpkg are left, and no network of vmpkg is up']
  return [
    ...(present === undefined ? ['there are no tables vmpkg'] : judgeSilence(silenceChains(bridges), present)),
    ...settings,
  ]
}

/**
 * Sets what is missing, all rules in one transaction; takes away what no network needs any more. True where it did.
 * @throws {VmpkgError} `TOOL_MISSING` `HOST_RULES_FAILED` when it does not hold afterwards
 */
export async function setSilence(host: BridgeHost, bridges: OwnBridges): Promise<boolean> {
  if ((await findSilenceFaults(host, bridges)).length === 0) return false
  const chains = silenceChains(bridges)
  const present = await readChains(host)
  const first = await load(host, formatSilence(chains, present))
  // Chains of other types in the way, or tables that somebody else changed meanwhile: all anew, still in one step.
  const loaded = first.exitCode === 0 ? first : await load(host, formatSilence(chains, undefined))
  if (loaded.exitCode !== 0) throw failed(`nft refuses them: ${firstLine(loaded)}`)
  await writeSettings(host, bridges)
  const faults = await findSilenceFaults(host, bridges)
  if (faults.length > 0) throw failed(faults.join('; '))
  return true
}

/** Taps before which libvirt has loaded a filter; `undefined` where ebtables does not say. */
export async function listPortChains(host: BridgeHost): Promise<readonly string[] | undefined> {
  const { exitCode, stdout } = await run(host, ['ebtables', '-t', 'nat', '-L'])
  if (exitCode !== 0) return undefined
  return [...stdout.matchAll(/^Bridge chain: libvirt-I-(\S+),/gm)].map(([, tap = '']) => tap)
}

function isEmpty({ lans, uplinks }: OwnBridges): boolean {
  return lans.length + uplinks.length === 0
}

/** `undefined` where one of the tables is not there. */
async function readChains(host: BridgeHost): Promise<readonly PresentChain[] | undefined> {
  await checkTools(['nft'])
  const listed = await run(host, ['sh', '-c', LIST])
  if (listed.exitCode === 0) return parseSilence(listed.stdout)
  if (/no such file or directory/i.test(listed.stderr)) return undefined
  throw failed(`nft does not list them: ${firstLine(listed)}`)
}

function load(host: BridgeHost, text: string): Promise<RunResult> {
  return run(host, ['nft', '-f', '-'], text)
}

interface Setting {
  readonly path: string
  readonly value: string
}

/** Behind the rules: a host without an address there, that believes no source which it has no route to. */
function settingsOf({ lans, uplinks }: OwnBridges): readonly Setting[] {
  return [...lans, ...uplinks.map(({ bridge }) => bridge)].flatMap((bridge) => [
    { path: `/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, value: '1' },
    { path: `/proc/sys/net/ipv4/conf/${bridge}/rp_filter`, value: '1' },
  ])
}

/** A kernel without IPv6 has no setting for it. */
const READ = `for path; do if [ -e "$path" ]; then read -r value <"$path"; echo "$value"; else echo none; fi; done`
const WRITE = `for path; do if [ -e "$path" ]; then echo 1 >"$path" || exit 1; fi; done`

async function findSettingFaults(host: BridgeHost, bridges: OwnBridges): Promise<readonly string[]> {
  const settings = settingsOf(bridges)
  if (settings.length === 0) return []
  const read = await run(host, ['sh', '-c', READ, 'sh', ...settings.map(({ path }) => path)])
  const values = read.stdout.split('\n')
  return settings.flatMap(({ path, value }, index) => {
    const is = values[index] ?? ''
    if (is === value || (is === 'none' && path.includes('/ipv6/'))) return []
    return [`${path.replace('/proc/sys/', '')} is ${is === '' ? 'not readable' : is}`]
  })
}

async function writeSettings(host: BridgeHost, bridges: OwnBridges): Promise<void> {
  const paths = settingsOf(bridges).map(({ path }) => path)
  if (paths.length === 0) return
  const written = await run(host, ['sh', '-c', WRITE, 'sh', ...paths])
  if (written.exitCode !== 0) throw failed(`a setting of the kernel is refused: ${firstLine(written)}`)
}

function run({ processes, prefix }: BridgeHost, argv: readonly string[], input = ''): Promise<RunResult> {
  const [program = '', ...words] = [...prefix, ...argv]
  return processes.run(program, words, { env: { PATH: SYSTEM_PATH, LANG: 'C' }, input, timeoutMs: 10_000 })
}

function firstLine({ stderr, exitCode }: RunResult): string {
  return stderr.trim().split('\n')[0] || `exit status ${exitCode}`
}

function failed(reason: string): VmpkgError {
  return new VmpkgError('HOST_RULES_FAILED', `This host cannot be kept off the LANs of routers: ${reason}`, {
    hint: 'Routers run only where the host is no part of their LANs: vmpkg doctor says what is there.',
  })
}
