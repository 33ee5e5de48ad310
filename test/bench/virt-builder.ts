/**
 * `vmpkg install` of an image against `virt-builder` of the same image from the same web server on the loopback interface,
 * as whole processes: fetch, check the signatures, unpack into a file that a machine can boot.
 *
 * virt-builder then boots its appliance to set a seed and a password, which takes most of its time where there is no KVM. So its
 * own parts are timed as well: filling its cache, and unpacking from it.
 *
 * Needs Debian's guestfs-tools and a kernel package (linux-image-cloud-amd64) for the appliance.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packImage } from '../../src/image/pack-image.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { formatRows, interleave, median, type Report, runProgram } from './measure.ts'

const execute = promisify(execFile)
const MIB = 2 ** 20
const ROUNDS = 3
const DIST = join(import.meta.dirname, '..', '..', 'dist', 'bin.js')
/** Its own places are hidden from it: they name servers on the internet. */
const HIDDEN = 'mount -t tmpfs none /etc/virt-builder/repos.d && exec "$@"'

export async function measureVirtBuilder(): Promise<Report> {
  if (!existsSync('/usr/bin/virt-builder')) throw new Error('install guestfs-tools and linux-image-cloud-amd64 first')
  const cli = await makeCli('private:bench')
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  const server = createServer()
  try {
    const image = join(folder, 'image.raw')
    await makeSystemImage(folder, image)
    const size = (await stat(image)).size
    const site = join(folder, 'site')
    serveFiles(server, site)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const virtBuilder = await offerToVirtBuilder(folder, site, image, base)
    await offerToVmpkg(cli, folder, site, image, base)
    const peaks: number[] = []
    const timings = await interleave(ROUNDS, {
      vmpkg: async () => {
        const milliseconds = await timed(async () => void peaks.push(await installOnce(cli)))
        await cli.ok(['remove', '-y', 'app-bench'])
        return milliseconds
      },
      whole: async () => {
        await rm(virtBuilder.cache, { recursive: true, force: true })
        const milliseconds = await timed(() => virtBuilder.run('bench', '--no-network', '-o', join(folder, 'out.raw')))
        await rm(join(folder, 'out.raw'))
        return milliseconds
      },
      parts: async () => {
        await rm(virtBuilder.cache, { recursive: true, force: true })
        return timed(async () => {
          await virtBuilder.run('--cache-all-templates')
          await execute('sh', [
            '-c',
            'xz -dc -T0 "$1"/bench.* > "$2" && sync "$2"',
            'sh',
            virtBuilder.cache,
            join(folder, 'out.raw'),
          ])
          await rm(join(folder, 'out.raw'))
        })
      },
    })
    const whole = { name: '`virt-builder`', milliseconds: timings.whole }
    const parts = { name: '`virt-builder --cache-all-templates` + `xz -d`', milliseconds: timings.parts }
    return {
      title: '`vmpkg install` against `virt-builder`',
      about:
        `The same Debian file system of ${(size / MIB).toFixed(0)} MiB from the same server on the loopback interface: ` +
        `${virtBuilder.bytes} as xz for virt-builder, ${await sizeOf(join(site, 'registry', 'blob'))} as packs for vmpkg. Whole processes with ` +
        `empty caches; the first row includes the boot of virt-builder’s appliance (by QEMU’s own translation), the second only ` +
        `its download, check and unpacking. vmpkg’s peak resident memory was ${median(peaks).toFixed(0)} MiB. ${ROUNDS} rounds.`,
      table: formatRows([
        { what: '`vmpkg install`', milliseconds: timings.vmpkg, peer: whole, goal: 1 },
        { what: '`vmpkg install`', milliseconds: timings.vmpkg, peer: parts, goal: 1.2 },
      ]),
    }
  } finally {
    server.closeAllConnections()
    server.close()
    await cli.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** A root file system that virt-builder recognises as Debian, filled with the machine's documents and programs. */
async function makeSystemImage(folder: string, image: string): Promise<void> {
  const root = join(folder, 'root')
  for (const path of ['etc', 'var/log', 'root', 'tmp', 'home', 'boot', 'proc', 'sys', 'dev', 'run', 'usr']) {
    await mkdir(join(root, path), { recursive: true })
  }
  for (const path of ['usr/bin', 'usr/sbin', 'usr/lib/x86_64-linux-gnu/perl', 'usr/share/doc', 'usr/share/i18n']) {
    await mkdir(join(root, path, '..'), { recursive: true })
    runProgram('cp', ['-a', join('/', path), join(root, path)])
  }
  for (const name of ['bin', 'sbin', 'lib']) await symlink(`usr/${name}`, join(root, name))
  for (const name of ['os-release', 'debian_version', 'passwd', 'group', 'login.defs']) {
    await writeFile(join(root, 'etc', name), await readFile(join('/etc', name)))
  }
  await writeFile(join(root, 'etc', 'shadow'), 'root:*:20000:0:99999:7:::\n', { mode: 0o640 })
  await writeFile(join(root, 'etc', 'fstab'), '/dev/sda / ext4 defaults 0 1\n')
  await writeFile(join(root, 'etc', 'hostname'), 'bench\n')
  runProgram('mke2fs', ['-q', '-t', 'ext4', '-d', root, image, '1024M'])
  await rm(root, { recursive: true })
}

interface VirtBuilder {
  readonly cache: string
  /** Of the compressed image, for people. */
  readonly bytes: string
  run(...args: readonly string[]): Promise<void>
}

async function offerToVirtBuilder(folder: string, site: string, image: string, base: string): Promise<VirtBuilder> {
  const home = join(folder, 'home')
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    GNUPGHOME: join(folder, 'gnupg'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
    TMPDIR: folder,
    LIBGUESTFS_BACKEND: 'direct',
    LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg',
  }
  await mkdir(site, { recursive: true })
  await mkdir(home, { recursive: true })
  await mkdir(env.GNUPGHOME, { mode: 0o700 })
  await execute('sh', ['-c', 'xz -T0 -6 -c "$1" > "$2"', 'sh', image, join(site, 'image.raw.xz')])
  const gpg = (...args: string[]): Promise<unknown> => execute('gpg', ['--batch', '--quiet', ...args], { env })
  await gpg('--passphrase', '', '--quick-gen-key', 'bench', 'ed25519', 'sign', 'never')
  const { stdout } = await execute('gpg', ['--batch', '--list-keys', '--with-colons'], { env })
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1] ?? ''
  const packed = await readFile(join(site, 'image.raw.xz'))
  const index = `[bench]
name=Bench
osinfo=debian12
arch=x86_64
file=image.raw.xz
checksum[sha512]=${createHash('sha512').update(packed).digest('hex')}
format=raw
size=${(await stat(image)).size}
compressed_size=${packed.length}
`
  await writeFile(join(site, 'index'), index)
  await gpg('--clearsign', '--output', join(site, 'index.asc'), join(site, 'index'))
  const words = ['--source', `${base}/index.asc`, '--fingerprint', fingerprint]
  return {
    cache: join(env.XDG_CACHE_HOME, 'virt-builder'),
    bytes: `${(packed.length / MIB).toFixed(0)} MiB`,
    run: async (...args) => {
      const program = ['unshare', '--mount', 'sh', '-c', HIDDEN, 'sh', 'virt-builder', ...args, ...words]
      await execute(program[0] ?? '', program.slice(1), { env, maxBuffer: 64 * MIB })
    },
  }
}

async function offerToVmpkg(cli: Cli, folder: string, site: string, image: string, base: string): Promise<void> {
  const keys = ['--keys', join(folder, 'keys')]
  const registry = join(site, 'registry')
  const built = join(folder, 'built')
  await mkdir(join(built, 'package'), { recursive: true })
  await mkdir(join(built, 'images'))
  await writeFile(join(built, 'package', 'vmpkg.yaml'), MANIFEST)
  await writeFile(
    join(built, 'package', 'domain.xml.hbs'),
    "<domain type='{{host.virtType}}'><name>{{domain.name}}</name></domain>\n",
  )
  await symlink(image, join(built, 'images', 'disk'))
  const { digest, size } = await packImage({ file: image, outDir: join(folder, 'packed') })
  await rm(join(folder, 'packed'), { recursive: true })
  const images = [{ role: 'disk', format: 'raw', digest, size, file: 'images/disk' }]
  await writeFile(join(built, 'images.json'), JSON.stringify(images))
  await cli.ok(['key', 'generate', 'all', ...keys, '--no-passphrase'])
  const roles = ['--root-key', 'all', '--publisher', 'all=*', '--promoter', 'all', '--timestamp', 'all']
  await cli.ok(['repo', 'init', registry, ...keys, ...roles])
  await cli.ok(['repo', 'add', registry, built, ...keys])
  await cli.ok(['source', 'add', 'bench', `${base}/registry`, '--root-file', join(registry, 'root', '1.json')])
  await cli.ok(['update'])
  await cli.ok(['host', 'private', 'start', 'bench'])
}

const MANIFEST = `vmpkg: 1
name: app-bench
version: "1.0"
arch: amd64
kind: app
summary: An image to measure with
license: Apache-2.0
templates: { domain: domain.xml.hbs }
`

/** Returns the peak resident memory in MiB. */
async function installOnce(cli: Cli): Promise<number> {
  const words = ['-f', '%M', process.execPath, DIST, 'install', '-y', 'app-bench']
  const { stderr } = await execute('/usr/bin/time', words, { env: { ...cli.env } })
  return Number(stderr.trim().split('\n').at(-1)) / 1024
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

async function sizeOf(folder: string): Promise<string> {
  const { stdout } = await execute('du', ['-sm', '--apparent-size', folder])
  return `${stdout.split('\t')[0]} MiB`
}

function serveFiles(server: ReturnType<typeof createServer>, folder: string): void {
  server.on('request', (request, response) => {
    const path = join(folder, new URL(request.url ?? '/', 'http://localhost').pathname)
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (!existsSync(path)) {
      response.writeHead(404).end()
      return
    }
    const { size } = statSync(path)
    const range = first === undefined ? { start: 0, end: size - 1 } : { start: Number(first), end: Number(last) }
    response.writeHead(first === undefined ? 200 : 206, {
      'content-length': range.end - range.start + 1,
      ...(first === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${size}` }),
    })
    createReadStream(path, { ...range, highWaterMark: MIB }).pipe(response)
  })
}
