/**
 * `vmpkg run app-firefox` behind router-uni, with nothing replaced but the viewer, which only stays until it is told to go:
 * app-base and app-firefox are built and published, the browser has to show a page of one colour that a server beyond the
 * uplink serves, and nothing of its machine may be left once the viewer ends.
 */
import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { makeCli } from '../support/cli.ts'
import { readPng } from '../support/png.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { startInside } from '../support/vpn-site.ts'

const HOST = 'apps'
const SERVER = '198.51.100.1'
const COLOUR = '1e8c3c'
const PAGE_MS = 600_000
const VIEWER = `#!/bin/sh
printf '%s\\n' "$@" >"$0.called"
until [ -e "$0.close" ]; do sleep 0.2; done
`

export async function soakApps(): Promise<string> {
  const cli = await makeCli(`private:${HOST}`)
  const at = (...parts: string[]): string => join(cli.folder, ...parts)
  let server: ChildProcessWithoutNullStreams | undefined
  try {
    const startedAt = Date.now()
    await publishTemplates(cli, ['router-uni', 'app-firefox', 'app-base'])
    const builtSeconds = (Date.now() - startedAt) / 1000
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'app-base', 'app-firefox'])
    const image = async (name: string): Promise<{ readonly digest: string; readonly parent?: string }> => {
      const text = await readFile(at('built', `${name}_1.0.0-1_amd64`, 'images.json'), 'utf8')
      return (JSON.parse(text) as { readonly digest: string; readonly parent?: string }[])[0] ?? { digest: '' }
    }
    const [base, app] = [await image('app-base'), await image('app-firefox')]
    assert.equal(app.parent, base.digest)
    await mkdir(at('bin'))
    await writeFile(at('bin', 'virt-viewer'), VIEWER, { mode: 0o755 })
    const script = join(import.meta.dirname, '..', 'support', 'uplink-server.ts')
    server = await startInside(cli, HOST, /listening/, [process.execPath, script, SERVER, '8080'])

    const env = { DISPLAY: ':7', PATH: `${at('bin')}:${cli.env['PATH'] ?? ''}` }
    const url = `url=http://${SERVER}:8080/colour/${COLOUR}`
    const running = cli.start(['run', 'app-firefox', '--name', 'fox', '--set', url], '', { env })
    const bootedAt = Date.now()
    let middle = ''
    while (middle !== COLOUR) {
      assert.ok(Date.now() - bootedAt < PAGE_MS, `after ${PAGE_MS / 1000} s its screen is ${middle} in the middle`)
      await wait(2000)
      if ((await cli.run(['screenshot', 'fox', at('fox.png'), '--force'])).status !== 0) continue
      const { width, height, pixel } = readPng(await readFile(at('fox.png')))
      middle = pixel(width >> 1, height >> 1)
    }
    const pageSeconds = (Date.now() - bootedAt) / 1000
    const called = (await readFile(at('bin', 'virt-viewer.called'), 'utf8')).split('\n')
    assert.deepEqual(called.slice(0, 3), ['--connect', 'qemu:///system', '--attach'])
    await writeFile(at('bin', 'virt-viewer.close'), '')
    const { status, stderr } = await running.done
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(await cli.ok(['ps', '--all', '--names']), /fox/)
    assert.deepEqual((await cli.json(['gc', '--dry-run']))['removed'], [])
    return (
      `Built and published in ${builtSeconds.toFixed(0)} s, the browser’s image as a layer of its base. ` +
      `The page was on the screen ${pageSeconds.toFixed(0)} s after \`vmpkg run app-firefox\`, without KVM; closing the viewer left nothing.`
    )
  } finally {
    server?.stdin.end()
    await cli.close()
  }
}
