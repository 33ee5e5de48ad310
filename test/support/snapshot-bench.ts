/** A libvirt for the matrix of snapshots: a private host of this machine's release, or Debian 13's out of a tree. */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectionKey } from '../../src/state/paths.ts'
import { makeCli } from './cli.ts'
import { libvirtTree } from './libvirt-tree.ts'
import type { Bench } from './snapshot-matrix.ts'
import { startTreeHost } from './tree-host.ts'

const FIRMWARE = '/usr/share/OVMF'

/** On a host of its own that is gone afterwards. */
export async function openBench(release: string): Promise<AsyncDisposable & { readonly bench: Bench }> {
  if (release !== '9.0') return openTree(release)
  const cli = await makeCli('private:snap-matrix')
  const { uri } = await cli.json(['host', 'private', 'start', 'snap-matrix'])
  const bench = prepare(cli, String(uri), 'private:snap-matrix', release)
  return { bench, [Symbol.asyncDispose]: () => cli.close() }
}

async function openTree(release: string): Promise<AsyncDisposable & { readonly bench: Bench }> {
  const tree = await libvirtTree('trixie')
  const folder = await makeCli('')
  const host = await startTreeHost(tree, '5d2b7c0e-0000-4000-8000-000000000113', folder.folder)
  const uri = `qemu+unix:///system?socket=${host.socket}`
  const env = { ...folder.env, VMPKG_CONNECT: uri }
  const start: typeof folder.start = (args, input, way = {}) =>
    folder.start(args, input, { ...way, env: { ...env, ...way.env } })
  const run: typeof folder.run = (args, input = '', way = {}) => start(args, input, way).done
  const ok: typeof folder.ok = async (args, input) => {
    const { status, stdout, stderr } = await run(args, input)
    if (status !== 0) throw new Error(`vmpkg ${args.join(' ')} exited ${status}\n${stdout}${stderr}`)
    return stdout
  }
  const json: typeof folder.json = async (args) => JSON.parse(await ok([...args, '--json'])) as Record<string, unknown>
  const bench = prepare({ ...folder, env, run, start, ok, json }, uri, uri, release)
  return {
    bench,
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]()
      await folder.close()
    },
  }
}

function prepare(cli: Bench['cli'], uri: string, connection: string, release: string): Bench {
  const folder = join(cli.folder, 'images')
  mkdirSync(folder, { recursive: true })
  const firmware = { code: join(folder, 'code.fd'), variables: join(folder, 'variables.fd') }
  copyFileSync(join(FIRMWARE, 'OVMF_CODE_4M.fd'), firmware.code)
  copyFileSync(join(FIRMWARE, 'OVMF_VARS_4M.fd'), firmware.variables)
  const overlays = join(cli.folder, 'root/var/lib/vmpkg/connections', connectionKey(connection), 'overlays')
  return { cli, uri, overlays, folder, firmware, release }
}
