/**
 * The shipped images, built from their recipes and booted under QEMU without libvirt: two builds are equal, the router
 * attests its rules and notices others, and a console behind it gets a lease, a name and a page.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { writeMedium } from '../../src/domain/medium.ts'
import { emitNothing } from '../../src/events.ts'
import { sha256 } from '../../src/model/digest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import type { GuestTemplateContext, NicContext } from '../../src/model/template-context.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { type BuiltPackage, buildPackage } from '../../src/publish/build-package.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { type BareGuest, startBareGuest, verityWord } from '../support/bare-guest.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')
const TOOLS = ['mmdebstrap', 'mkfs.erofs', 'xorriso', 'qemu-system-x86_64', 'depmod']
const missing = TOOLS.filter(
  (tool) => !['/usr/bin', '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, tool))),
)
const processes = systemProcesses
const UNI = 'root=/dev/vda ro rootfstype=erofs console=ttyS0 quiet panic=1 ipv6.disable=1'
/** A shell in place of the router's init, on the serial console. */
const SHELL = `${UNI} init=/bin/sh`
const CONSOLE = 'root=/dev/vda rw console=ttyS0 quiet panic=1'
const WAN_MAC = '02:00:00:00:01:01'
const LAN_MAC = '02:00:00:00:01:02'
const CONSOLE_MAC = '02:00:00:00:02:28'

const identity = { hostname: 'uni0', machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) }
const routerContext: GuestTemplateContext = {
  identity,
  nics: [],
  params: {},
  router: {
    layer: 'uni',
    instance: 'uni0',
    wan: { mac: WAN_MAC },
    lowers: [],
    forwards: [],
    lan: {
      mac: LAN_MAC,
      cidr: '10.1.1.0/24',
      address: '10.1.1.1',
      prefix: 24,
      netmask: '255.255.255.0',
      broadcast: '10.1.1.255',
      rangeFirst: '10.1.1.32',
      rangeLast: '10.1.1.254',
      leaseSeconds: 3600,
    },
  },
}
/** The same with ports that lead to the console. */
const forwarding: GuestTemplateContext = {
  ...routerContext,
  ...(routerContext.router === undefined
    ? {}
    : {
        router: {
          ...routerContext.router,
          forwards: [
            {
              name: 'console1',
              mac: CONSOLE_MAC,
              address: '10.1.1.40',
              ports: [{ protocol: 'tcp', port: 8443, target: 443 }],
            },
          ],
        },
      }),
}
const consoleNic: NicContext = { role: 'wan', mac: CONSOLE_MAC, network: 'x', link: 'up', isolated: true }
const consoleContext: GuestTemplateContext = {
  identity: { ...identity, hostname: 'console1' },
  nics: [consoleNic],
  wan: consoleNic,
  params: {},
}

async function build(name: string, work: string, out: string): Promise<BuiltPackage> {
  const packageDir = join(TEMPLATES, name)
  return buildPackage({
    packageDir,
    manifest: parseManifest(await readFile(join(packageDir, 'vmpkg.yaml'), 'utf8')),
    outDir: join(work, out),
    cacheDir: join(work, 'cache'),
    processes,
    emit: emitNothing,
  })
}

/** The rendered files of a package's medium, with more text after some. */
async function guestFiles(
  name: string,
  context: GuestTemplateContext,
  more: Readonly<Record<string, string>> = {},
): Promise<Map<string, Uint8Array>> {
  const folder = join(TEMPLATES, name, 'guest')
  const files = new Map<string, Uint8Array>()
  for (const template of await readdir(folder)) {
    const file = template.replace(/\.hbs$/, '')
    const text = renderGuestFile(template, await readFile(join(folder, template), 'utf8'), context)
    files.set(file, Buffer.from(text + (more[file] ?? '')))
  }
  return files
}

/** Waits at most a minute for the console to have shown it. */
async function shows(guest: BareGuest, text: string | RegExp): Promise<void> {
  const has = (): boolean => (typeof text === 'string' ? guest.serial().includes(text) : text.test(guest.serial()))
  for (let tries = 0; tries < 600 && !has(); tries++) await wait(100)
  assert.ok(has(), guest.serial())
}

const image = (built: BuiltPackage, role: string): string => join(built.folder, 'images', role)

async function alterFile(path: string, at: number, text: string): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(text, at)
  await file.close()
}

const readPackages = (built: BuiltPackage): Promise<string> => readFile(join(built.folder, 'packages.list'), 'utf8')

describe('the shipped images', { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` }, () => {
  let work = ''
  let router: BuiltPackage
  let console1: BuiltPackage

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'vmpkg-guests-'))
    router = await build('router-uni', work, 'first')
    console1 = await build('app-console', work, 'first')
  })
  after(async () => rm(work, { recursive: true, force: true }))

  const startRouter = async (
    t: TestContext,
    files: ReadonlyMap<string, Uint8Array>,
    nets?: string[],
  ): Promise<BareGuest> => {
    const folder = await makeTempFolder(t)
    const medium = join(folder, 'config.iso')
    await writeMedium({ files, target: medium })
    const [wan = 'user,id=n0,restrict=on', lan = 'hubport,id=n1,hubid=1'] = nets ?? []
    return startBareGuest(t, {
      folder,
      boot: {
        kernel: image(router, 'kernel'),
        initrd: image(router, 'initrd'),
        commandLine: `${verityWord(router.images)} ${UNI}`,
      },
      disk: { file: image(router, 'root'), format: 'raw', readonly: true },
      medium,
      nics: [
        { netdev: wan, mac: WAN_MAC },
        { netdev: lan, mac: LAN_MAC },
      ],
    })
  }

  test('two builds give the same digests and the same list of packages, whatever the umask', async (t) => {
    const umask = process.umask(0o077)
    t.after(() => process.umask(umask))
    const second = [await build('router-uni', work, 'second'), await build('app-console', work, 'second')]
    for (const [index, first] of [router, console1].entries()) {
      const again = second[index]
      assert.ok(again !== undefined)
      assert.deepEqual(again.images, first.images)
      const [list, listAgain] = [await readPackages(first), await readPackages(again)]
      assert.equal(listAgain, list)
      assert.match(list, /^linux-image-cloud-amd64 \S+$/m)
    }
    assert.deepEqual((await readdir(join(work, 'second'))).toSorted(), [
      'app-console_1.0.0-1_amd64',
      'router-uni_1.0.0-1_amd64',
    ])
  })

  test('the router attests the rules of its medium and refuses what is not a verb of its layer', async (t) => {
    const files = await guestFiles('router-uni', routerContext)
    const guest = await startRouter(t, files)
    assert.deepEqual(await guest.readLine(), { vmpkg: 1, event: 'ready' })
    guest.write(
      `\0\xff{"garbage"}\n\n${'x'.repeat(5000)}\nstatus short\nstatus ${'A'.repeat(32)}\nvpn.list ${'0'.repeat(32)}\n`,
    )
    assert.deepEqual(await guest.readLine(), {
      vmpkg: 1,
      nonce: '0'.repeat(32),
      verb: 'vpn.list',
      ok: false,
      error: 'unsupported',
    })
    guest.write(`$(reboot) ${'1'.repeat(32)}\nrun ${'2'.repeat(32)} x\n`)
    assert.equal((await guest.readLine())['nonce'], '2'.repeat(32))
    guest.write(`status ${'3'.repeat(32)}\n`)
    const reply = await guest.readLine()
    assert.deepEqual(reply['rules'], { sha256: sha256(files.get('nftables.nft') ?? ''), matches: true })
    assert.deepEqual(reply['lan'], { address: '10.1.1.1' })
    assert.equal(reply['ready'], true)
    assert.equal(reply['forwarding'], true)
    assert.equal(reply['dns'], 'up')
  })

  test('the router notices rules in the kernel that the file does not say', async (t) => {
    // Loaded once, this chain has one rule; loaded again by `reset` the kernel has two, a fresh namespace still one.
    const more = { 'nftables.nft': 'table inet extra { chain more { counter drop; }; }\n' }
    const guest = await startRouter(t, await guestFiles('router-uni', routerContext, more))
    assert.equal((await guest.readLine())['event'], 'ready')
    guest.write(`reset ${'4'.repeat(32)}\n`)
    const reply = await guest.readLine()
    assert.equal(reply['ok'], true)
    assert.partialDeepStrictEqual(reply, { ready: false, rules: { matches: false } })
  })

  test('reset takes the medium that is in the drive, and keeps the old rules when it does not fit', async (t) => {
    const folder = await makeTempFolder(t)
    const first = await guestFiles('router-uni', routerContext)
    const guest = await startRouter(t, first)
    assert.equal((await guest.readLine())['event'], 'ready')
    await swap(
      guest,
      join(folder, 'broken.iso'),
      new Map([...first, ['nftables.nft', Buffer.from('table inet vmpkg { chain')]]),
    )
    guest.write(`reset ${'5'.repeat(32)}\n`)
    assert.equal((await guest.readLine())['ok'], false)
    guest.write(`status ${'6'.repeat(32)}\n`)
    const kept = { sha256: sha256(first.get('nftables.nft') ?? ''), matches: true }
    assert.partialDeepStrictEqual(await guest.readLine(), { ready: true, rules: kept })
    // No module can be loaded any more: what forwarded ports need has to be there.
    const second = await guestFiles('router-uni', forwarding)
    await swap(guest, join(folder, 'second.iso'), second)
    guest.write(`reset ${'7'.repeat(32)}\n`)
    const loaded = { sha256: sha256(second.get('nftables.nft') ?? ''), matches: true }
    assert.partialDeepStrictEqual(await guest.readLine(), { ok: true, ready: true, dns: 'up', rules: loaded })
  })

  test('a router without a medium it can trust forwards nothing', async (t) => {
    const files = await guestFiles('router-uni', routerContext)
    const guest = await startRouter(t, new Map([...files, ['vmpkg.env', Buffer.from('WAN_MAC=$(reboot)\n')]]))
    guest.write(`status ${'8'.repeat(32)}\n`)
    const reply = await guest.readLine()
    assert.partialDeepStrictEqual(reply, {
      ready: false,
      forwarding: false,
      lan: { address: null },
      wan: { address: null },
    })
  })

  /** A router on a file of its own, whose console is a shell. */
  const startShell = async (t: TestContext, words: string): Promise<{ guest: BareGuest; root: string }> => {
    const folder = await makeTempFolder(t)
    const [root, medium] = [join(folder, 'root'), join(folder, 'config.iso')]
    await copyFile(image(router, 'root'), root)
    await writeMedium({ files: await guestFiles('router-uni', routerContext), target: medium })
    const guest = await startBareGuest(t, {
      folder,
      boot: { kernel: image(router, 'kernel'), initrd: image(router, 'initrd'), commandLine: words },
      disk: { file: root, format: 'raw', readonly: true },
      medium,
      nics: [
        { netdev: 'user,id=n0,restrict=on', mac: WAN_MAC },
        { netdev: 'hubport,id=n1,hubid=1', mac: LAN_MAC },
      ],
    })
    return { guest, root }
  }

  /** Boots the router, changes a script in its file, has everything that was read forgotten, and runs the script. */
  const runAltered = async (t: TestContext, words: string): Promise<BareGuest> => {
    const { guest, root } = await startShell(t, words)
    await shows(guest, '# ')
    guest.typeLine('/usr/lib/vmpkg/boot; sh -c ". /usr/lib/vmpkg/stop"; echo first-$?')
    await shows(guest, /^first-0/m)
    const [signed, altered] = ['ip link set dev lan down', 'echo altered code runs #']
    assert.equal(signed.length, altered.length)
    const at = (await readFile(root)).indexOf(signed)
    assert.ok(at > 0, 'the script is in the file as it is')
    await alterFile(root, at, altered)
    guest.typeLine('echo 3 >/proc/sys/vm/drop_caches; sh /usr/lib/vmpkg/stop; echo second-$?')
    return guest
  }

  test('a byte changed in the file of a running router stops it, and is code where nothing checks', async (t) => {
    const unchecked = await runAltered(t, SHELL)
    await shows(unchecked, /^altered code runs/m)
    const checked = await runAltered(t, `${verityWord(router.images)} ${SHELL}`)
    await shows(checked, /Rebooting in|^second/m)
    assert.match(checked.serial(), /device-mapper: verity: \S+ (?:meta)?data block \d+ is corrupted/)
    assert.match(checked.serial(), /Kernel panic - not syncing: dm-verity device corrupted/)
    assert.doesNotMatch(checked.serial(), /^altered code runs|^second/m)
  })

  test('a router does not start on another root hash, and its console says why', async (t) => {
    const other = verityWord(router.images).replace(/=[0-9a-f]{4}/, '=0000')
    const { guest } = await startShell(t, `${other} ${SHELL}`)
    await guest.ended
    assert.match(guest.serial(), /verity: \S+ metadata block \d+ is corrupted[^]*panic.*dm-verity device corrupted/)
    const { guest: cut } = await startShell(t, `verity= ${SHELL}`)
    await cut.ended
    assert.match(cut.serial(), /initrd: cannot check \/dev\/vda by dm-verity/)
    for (const one of [guest, cut]) assert.doesNotMatch(one.serial(), /# /)
  })

  test('a console behind the router gets a lease and a page, and stops at the power button', async (t) => {
    const folder = await makeTempFolder(t)
    const link = join(folder, 'lan.sock')
    const answer = join(folder, 'answer')
    await writeFile(
      answer,
      '#!/bin/sh\nread -r _\nprintf "HTTP/1.0 200 OK\\r\\n\\r\\nfrom the wan: %s\\n" $((6 * 7))\n',
    )
    await chmod(answer, 0o755)
    const routerGuest = await startRouter(t, await guestFiles('router-uni', routerContext), [
      `user,id=n0,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:${answer}`,
      `stream,id=n1,server=on,addr.type=unix,addr.path=${link}`,
    ])
    assert.equal((await routerGuest.readLine())['event'], 'ready')
    const machine = join(folder, 'console')
    await mkdir(machine)
    const overlay = join(machine, 'overlay.qcow2')
    const base = image(console1, 'disk')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay])
    const medium = join(machine, 'config.iso')
    await writeMedium({ files: await guestFiles('app-console', consoleContext), target: medium })
    const guest = await startBareGuest(t, {
      folder: machine,
      boot: { kernel: image(console1, 'kernel'), initrd: image(console1, 'initrd'), commandLine: CONSOLE },
      disk: { file: overlay, format: 'qcow2', readonly: false },
      medium,
      nics: [{ netdev: `stream,id=n0,server=off,addr.type=unix,addr.path=${link}`, mac: CONSOLE_MAC }],
    })
    assert.equal((await guest.readLine())['event'], 'ready')
    const reply = await askUntil(guest, (one) => (one['lan'] as { address: unknown }).address !== null)
    assert.equal(reply['hostname'], 'console1')
    // The last byte of its MAC.
    assert.equal((reply['lan'] as { address: string }).address, '10.1.1.40')
    guest.typeLine('fetch http://10.0.2.100/')
    await until(() => guest.serial().includes('from the wan: 42'))
    const forwards = await guestFiles('router-uni', forwarding)
    await swap(routerGuest, join(folder, 'forwards.iso'), forwards)
    routerGuest.write(`reset ${'9'.repeat(32)}\n`)
    assert.partialDeepStrictEqual(await routerGuest.readLine(), { ok: true, ready: true, rules: { matches: true } })
    await guest.control('system_powerdown')
    await Promise.race([guest.ended, wait(20_000).then(() => assert.fail('the console did not stop'))])
  })
})

/** Another medium in the drive. */
async function swap(guest: BareGuest, target: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await writeMedium({ files, target })
  await guest.control('blockdev-change-medium', { id: 'cd', filename: target, format: 'raw', force: true })
}

async function askUntil(
  guest: BareGuest,
  isEnough: (reply: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  for (let tries = 0; tries < 100; tries++) {
    guest.write(`status ${tries.toString(16).padStart(32, '0')}\n`)
    const reply = await guest.readLine()
    if (isEnough(reply)) return reply
    await wait(200)
  }
  return assert.fail('the guest never said what was waited for')
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (holds()) return
    await wait(200)
  }
  assert.fail('waited in vain')
}
