/** The chain that benchmarks start and stop: three routers, a client behind the last, a VPN server and a Tor network of our own. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { ENDPOINT, makeVpn, startInside, torNetwork, VPN_SERVER, WEB, WORLD } from '../support/vpn-site.ts'

const TOP = join(import.meta.dirname, '..', '..')
const PACKAGES = ['router-uni', 'router-gal', 'router-sol', 'app-console'] as const

export interface ChainSite {
  readonly cli: Cli
  /** The profile that router-gal has. */
  readonly profile: string
  readonly close: () => Promise<void>
}

/** All of it installed and nothing of it running; the web server beyond the exits is at `WEB`, port 8080. */
export async function makeChain(host: string): Promise<ChainSite> {
  const cli = await makeCli(`private:${host}`)
  const inside: ChildProcessWithoutNullStreams[] = []
  const start = async (sign: RegExp, ...words: readonly string[]): Promise<void> => {
    inside.push(await startInside(cli, host, sign, words))
  }
  const close = async (): Promise<void> => {
    for (const child of inside) child.stdin.end()
    await cli.close()
  }
  try {
    await publishTemplates(cli, PACKAGES, process.env['VMPKG_BENCH_CACHE'])
    await cli.ok(['host', 'private', 'start', host])
    const at = (name: string): string => join(cli.folder, name)
    const profile = await makeVpn(at('vpn'))
    const server = [...WORLD, ENDPOINT, 'sh', '-c', VPN_SERVER, 'sh', join(at('vpn'), 'server.conf')]
    await start(/Initialization Sequence Completed/, ...server)
    await start(/^ready/m, ...torNetwork(at('tor')))
    await start(/listening/, process.execPath, join(TOP, 'test', 'support', 'uplink-server.ts'), WEB, '8080')
    const network = join(at('tor'), 'network')
    const parameters = [`router-gal:vpn=${profile}`, `router-gal:tor=${network}`, `router-sol:tor=${network}`]
    const sets = parameters.flatMap((one) => ['--set', one])
    await cli.ok(['install', '-y', '--grant', 'network', '--no-start', ...PACKAGES, ...sets])
    await cli.ok(['clone', 'app-console', '--name', 'client', '--net', 'sol0', '--no-start'])
    return { cli, profile, close }
  } catch (error) {
    await close()
    throw error
  }
}
