import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { makeCli } from '../support/cli.ts'
import { openvpnSamples, vpnKeys } from '../support/vpn-profiles.ts'

const cli = await makeCli('test:///default')
after(() => cli.close())
const [text = ''] = openvpnSamples().values()
const good = join(cli.folder, 'good.ovpn')
const bad = join(cli.folder, 'bad.ovpn')
await writeFile(good, text)
await writeFile(bad, `${text}plugin /tmp/x.so\n`)

describe('vpn check', () => {
  test('shows endpoints and notes, and no key', async () => {
    const { status, stdout, stderr } = await cli.run(['vpn', 'check', good])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^good\topenvpn\t203\.0\.113\.7:443\/udp\t-\tLeft out because/m)
    assert.match(stderr, /1 profile accepted, 0 refused/)
  })

  test('says the same as JSON, without the file that holds the keys', async () => {
    const { ok, profiles, refused } = await cli.json(['vpn', 'check', good, '--json'])
    assert.deepEqual({ ok, refused }, { ok: true, refused: [] })
    const [profile = {}] = profiles as readonly Record<string, unknown>[]
    assert.deepEqual(Object.keys(profile), ['name', 'kind', 'endpoints', 'dns', 'addresses', 'notes'])
    const secret = vpnKeys().key.split('\n')[1] ?? assert.fail()
    assert.ok(text.includes(secret) && !JSON.stringify(profiles).includes(secret))
  })

  test('ends with 1 where a profile is refused, and says why and what to do', async () => {
    const { status, stderr } = await cli.run(['vpn', 'check', bad])
    assert.equal(status, 1)
    assert.match(
      stderr,
      /Refused bad\.ovpn: VPN profile bad, line \d+, plugin: it loads foreign code into OpenVPN\n\s+Take the line out\./,
    )
    const { status: again, stdout } = await cli.run(['vpn', 'check', bad, '--json'])
    assert.equal(again, 1)
    assert.equal((JSON.parse(stdout) as { ok: boolean }).ok, false)
  })

  test('ends with 2 where there is no such file', async () => {
    assert.equal((await cli.run(['vpn', 'check', join(cli.folder, 'nowhere')])).status, 2)
  })
})
