/**
 * The image of router-gal, built from its recipe and booted under QEMU without libvirt. WireGuard has no server side: two
 * of these routers are each other's server, since not every host's kernel knows WireGuard.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { writeMedium } from '../../src/domain/medium.ts'
import { emitNothing } from '../../src/events.ts'
import { sha256 } from '../../src/model/digest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import type { GuestTemplateContext } from '../../src/model/template-context.ts'
import { systemProcesses as processes } from '../../src/node/processes.ts'
import { buildPackage } from '../../src/publish/build-package.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { planLan, planPlace, routerContext } from '../../src/router/plan.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'
import { type BareGuest, startBareGuest, verityWord } from '../support/bare-guest.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PACKAGE = join(import.meta.dirname, '..', '..', 'templates', 'router-gal')
const TOOLS = ['mmdebstrap', 'mkfs.erofs', 'xorriso', 'qemu-system-x86_64', 'depmod', 'openssl']
const missing = TOOLS.filter(
  (tool) => !['/usr/bin', '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, tool))),
)
const COMMAND_LINE = 'root=/dev/vda ro rootfstype=erofs console=ttyS0 quiet panic=1 ipv6.disable=1'
const PORT = 51_820

interface Side {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly macs: readonly [string, string]
}

/** X25519 keys as `wg genkey` and `wg pubkey` write them. */
function makeKeys(): { readonly own: string; readonly shown: string } {
  const key = execFileSync('openssl', ['genpkey', '-algorithm', 'X25519', '-outform', 'DER'])
  const shown = execFileSync('openssl', ['pkey', '-inform', 'DER', '-pubout', '-outform', 'DER'], { input: key })
  return { own: key.subarray(-32).toString('base64'), shown: shown.subarray(-32).toString('base64') }
}

/** Both stand on one network, each with the other as the server of its profile and as the way there. */
async function makeSide(index: 0 | 1, keys: readonly { own: string; shown: string }[]): Promise<Side> {
  const [own, other] = [`10.1.1.${2 + index}`, `10.1.1.${3 - index}`]
  const profile = parseVpnProfile(
    'pair',
    [
      '[Interface]',
      `PrivateKey = ${keys[index]?.own}`,
      `Address = 10.7.0.${index + 1}/32`,
      '[Peer]',
      `PublicKey = ${keys[1 - index]?.shown}`,
      'AllowedIPs = 0.0.0.0/0',
      `Endpoint = ${other}:${PORT}`,
      'PersistentKeepalive = 1',
    ].join('\n'),
  )
  const { file, ...vpn } = profile
  const macs = [`02:00:00:00:0${index}:01`, `02:00:00:00:0${index}:02`] as const
  const lan = planLan('gal', { subnets: [], networks: index === 0 ? [] : ['gal0'], bridges: [] })
  const wan = { ...planPlace('uni0', '10.1.1.0/24', []), address: own, gateway: other }
  const context: GuestTemplateContext = {
    identity: { hostname: lan.instance, machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) },
    nics: [],
    params: {},
    router: routerContext('gal', lan, { wan: macs[0], lan: macs[1] }, { wan, vpn }),
  }
  const files = new Map<string, Uint8Array>()
  for (const name of await readdir(join(PACKAGE, 'guest'))) {
    const text = renderGuestFile(name, await readFile(join(PACKAGE, 'guest', name), 'utf8'), context)
    files.set(name.replace(/\.hbs$/, ''), Buffer.from(text))
  }
  files.set('vpn.conf', Buffer.from(file.replace('[Interface]\n', `[Interface]\nListenPort = ${PORT}\n`)))
  return { files, macs }
}

describe('the image of router-gal', { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` }, () => {
  let work = ''
  let images = ''
  let verity = ''

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'vmpkg-gal-'))
    const manifest = parseManifest(await readFile(join(PACKAGE, 'vmpkg.yaml'), 'utf8'))
    const [outDir, cacheDir] = [join(work, 'out'), join(work, 'cache')]
    const built = await buildPackage({ packageDir: PACKAGE, manifest, outDir, cacheDir, processes, emit: emitNothing })
    images = join(built.folder, 'images')
    verity = verityWord(built.images)
  })
  after(async () => rm(work, { recursive: true, force: true }))

  test('two of them make a tunnel of WireGuard, with rules that let through nothing else', async (t) => {
    const folder = await makeTempFolder(t)
    const keys = [makeKeys(), makeKeys()]
    const sides = [await makeSide(0, keys), await makeSide(1, keys)]
    const guests: BareGuest[] = []
    for (const [index, { files, macs }] of sides.entries()) {
      const own = join(folder, String(index))
      await mkdir(own)
      const medium = join(own, 'config.iso')
      await writeMedium({ files, target: medium })
      const wan = `stream,id=n0,server=${index === 0 ? 'on' : 'off'},addr.type=unix,addr.path=${join(folder, 'wan')}`
      const guest = await startBareGuest(t, {
        folder: own,
        boot: {
          kernel: join(images, 'kernel'),
          initrd: join(images, 'initrd'),
          commandLine: `${verity} ${COMMAND_LINE}`,
        },
        disk: { file: join(images, 'root'), format: 'raw', readonly: true },
        medium,
        nics: [
          { netdev: wan, mac: macs[0] },
          { netdev: 'hubport,id=n1,hubid=1', mac: macs[1] },
        ],
      })
      guests.push(guest)
    }
    for (const guest of guests) assert.equal((await guest.readLine())['event'], 'ready')
    for (const [index, guest] of guests.entries()) {
      const reply = await askUntil(guest, ({ tunnel }) => (tunnel as { state: string }).state === 'up')
      const tunnel = { profile: 'pair', kind: 'wireguard', state: 'up', address: `10.7.0.${index + 1}` }
      assert.deepEqual(reply['tunnel'], tunnel)
      const digest = sha256(sides[index]?.files.get('nftables.nft') ?? '')
      assert.deepEqual(reply['rules'], { sha256: digest, matches: true })
      guest.write(`vpn.list ${'a'.repeat(32)}\n`)
      assert.deepEqual((await guest.readLine())['profiles'], ['pair'])
      guest.write(`vpn.use ${'b'.repeat(32)} other\n`)
      assert.equal((await guest.readLine())['ok'], false)
    }
  })
})

async function askUntil(
  guest: BareGuest,
  isEnough: (reply: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  for (let tries = 0; tries < 60; tries++) {
    guest.write(`status ${tries.toString(16).padStart(32, '0')}\n`)
    const reply = await guest.readLine()
    if (isEnough(reply)) return reply
    await wait(1000)
  }
  return assert.fail(`the guest never said what was waited for\n${guest.serial()}`)
}
