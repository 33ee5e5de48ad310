/**
 * The files that a router's guest gets: those of its image, gathered by the recipe, and those of its medium, rendered by
 * the project's own code from the package's template. Nothing is copied by hand: a line that leaves the template is gone
 * here too. A `Change` takes one thing out, which is what negative controls and mutants are.
 */
import { randomBytes } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openPackage } from '../../../src/archive/load-package.ts'
import { newIdentity } from '../../../src/domain/identity.ts'
import type { Layer } from '../../../src/model/line.ts'
import type { NicContext, RouterContext } from '../../../src/model/template-context.ts'
import { type MachineInput, renderGuestFiles } from '../../../src/operations/render-machine.ts'
import { readShipped } from '../../../src/publish/package-files.ts'
import { parseRecipe } from '../../../src/publish/recipe.ts'
import { planLan, routerContext } from '../../../src/router/plan.ts'
import { parseTorNetwork } from '../../../src/router/tor-network.ts'
import { ISP } from './lab.ts'
import { type Road, roadFiles } from './road.ts'
import { type VpnKind, vpnEnds } from './vpn.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', '..', 'templates')
const LAB = join(import.meta.dirname, 'guest.sh')

/** Replaces text of one file, which must be there: of the image (`usr/lib/vmpkg/boot`) or of the medium (`nftables.nft`). */
export interface Change {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface RouterFiles {
  readonly layer: Layer
  readonly plan: ReturnType<typeof planLan>
  /** Below the root, with modes. */
  readonly image: Readonly<Record<string, readonly [text: string, mode: number]>>
  readonly medium: Readonly<Record<string, string>>
  readonly links: Readonly<Record<string, string>>
  readonly users: readonly {
    readonly name: string
    readonly uid: number
    readonly gid: number
    readonly group?: string | undefined
  }[]
}

/** Of a lower router: the lab's uplink stands for the LAN of the one above. */
const WAN = { net: 'above', address: ISP.lease, prefix: 24, broadcast: '198.51.100.255', gateway: ISP.address }
/** Where nobody answers: Tor goes on trying. */
export const AUTHORITY = { address: '203.0.113.60', port: 5001 } as const
const IDENTITY = '0123456789ABCDEF0123456789ABCDEF01234567'
const TOR = parseTorNetwork(
  'lab',
  `DirAuthority none orport=${AUTHORITY.port} v3ident=${IDENTITY} ${AUTHORITY.address}:7001 ${IDENTITY}\n`,
)

/** What a lower router knows besides. */
const BEHIND: Partial<Record<Layer, (kind: VpnKind) => Parameters<typeof routerContext>[3]>> = {
  sol: () => ({ wan: WAN, tor: TOR }),
  gal: (kind) => ({ wan: WAN, vpn: vpnEnds(kind).profile, tor: TOR }),
}

/** What a router's rules say besides. */
export interface Around extends Partial<Pick<RouterContext, 'forwards' | 'lowers'>> {
  /** Of a router with a tunnel. */
  readonly vpn?: VpnKind
  /** Takes people in, by OpenVPN or WireGuard. */
  readonly road?: Road
}

export interface Macs {
  readonly wan: string
  readonly lan: string
}

/** @param packageName a folder of `templates/` @param around what its rules say besides */
export async function readRouterFiles(
  packageName: string,
  layer: Layer,
  macs: Macs,
  { vpn = 'openvpn', road, ...around }: Around = {},
): Promise<RouterFiles> {
  const folder = join(TEMPLATES, packageName)
  const { files } = await readShipped(folder)
  const contents = openPackage(files)
  // The clients of the lab are those of the first layer: of another one its rules are the same with other addresses.
  const plan = { ...planLan('uni', { subnets: [], networks: [], bridges: [] }), instance: `${layer}0` }
  const nic = (role: 'wan' | 'lan'): NicContext => ({ role, mac: macs[role], link: 'up', isolated: false })
  const guest = renderGuestFiles({
    pkg: contents,
    parameters: {},
    identity: newIdentity(packageName, { bytes: randomBytes }),
    nics: [nic('wan'), nic('lan')],
    router: routerContext(layer, plan, macs, {
      ...BEHIND[layer]?.(vpn),
      ...around,
      ...(road && { [road.kind === 'openvpn' ? 'openvpn' : 'home']: road.home }),
    }),
  } as unknown as MachineInput)
  const recipe = parseRecipe(await readFile(join(folder, 'recipe.yaml'), 'utf8'), packageName)
  if (recipe.variant !== 'extract') throw new Error(`${packageName} is not made by a recipe of variant extract`)
  const image: Record<string, readonly [string, number]> = {}
  for (const { from, executable } of recipe.files) {
    const source = from.startsWith('shared:') ? join(TEMPLATES, 'shared', from.slice(7)) : join(folder, from)
    for (const path of globSync('**/*', { cwd: source }).filter((one) => statSync(join(source, one)).isFile())) {
      image[path] = [readFileSync(join(source, path), 'utf8'), executable.includes(path) ? 0o755 : 0o644]
    }
  }
  const text = ([name, bytes]: [string, Uint8Array]): [string, string] => [name, Buffer.from(bytes).toString()]
  const profile = layer === 'gal' ? { 'vpn.conf': vpnEnds(vpn).profile.file } : {}
  const medium = { ...Object.fromEntries([...guest.files].map(text)), ...profile, ...(road && roadFiles(road)) }
  return { layer, plan, image, medium, links: recipe.links, users: recipe.users }
}

/** @throws {Error} when a change has nothing to change: a control that proves nothing */
export function withChanges(files: RouterFiles, changes: readonly Change[]): RouterFiles {
  const image = { ...files.image }
  const medium = { ...files.medium }
  for (const { file, find, replace } of changes) {
    const [text = medium[file], mode = 0] = image[file] ?? []
    if (text?.includes(find) !== true) throw new Error(`${file} has no ${JSON.stringify(find)} to change`)
    const changed = text.replace(find, () => replace)
    if (file in image) image[file] = [changed, mode]
    else medium[file] = changed
  }
  return { ...files, image, medium }
}

/** What of the hardware a namespace lacks: the drive, the cards' drivers and the agent's port. */
export function withoutHardware(files: RouterFiles): RouterFiles['image'] {
  const lab = readFileSync(LAB, 'utf8')
  const add = (path: string): Record<string, readonly [string, number]> => {
    const [text, mode] = files.image[path] ?? []
    if (text === undefined || mode === undefined) throw new Error(`the image has no ${path}`)
    return { [path]: [`${text}\n${lab}`, mode] }
  }
  return { ...files.image, ...add('usr/lib/vmpkg/base.sh'), ...add('usr/lib/vmpkg/channel.sh') }
}
