/**
 * Cleaned profiles before the programs that will read them, OpenVPN and WireGuard of Debian, in network namespaces without
 * a way out. OpenVPN goes as far as its first packet, and once to a real server; `wg-quick strip` and `wg setconf` read
 * what is for them.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { parseLines } from '../../src/router/vpn/openvpn-lines.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { openvpnSamples, sshSample, wireguardSample } from '../support/vpn-profiles.ts'

const ALONE = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--net', '--'] as const

interface Ran {
  readonly status: number | string
  readonly output: string
}

function run(words: readonly string[]): Promise<Ran> {
  const [program, ...args] = [...ALONE, ...words]
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, timeout: 30_000 },
      (error, stdout, stderr) => resolve({ status: error?.code ?? 0, output: `${stdout}${stderr}` }),
    )
  })
}

/** OpenVPN with this config until it would send its first packet, which no link takes. */
async function startOpenvpn(t: TestContext, text: string): Promise<Ran> {
  const file = join(await makeTempFolder(t), 'a.ovpn')
  await writeFile(file, text, { mode: 0o600 })
  return run(['openvpn', '--config', file, '--remap-usr1', 'SIGTERM', '--verb', '4', '--suppress-timestamps'])
}

describe('OpenVPN', () => {
  for (const [name, text] of openvpnSamples()) {
    test(`takes ${name}, and heads for a declared endpoint`, async (t) => {
      const { file, endpoints } = parseVpnProfile('a', text)
      const { status, output } = await startOpenvpn(t, file)
      assert.equal(status, 0, output)
      assert.doesNotMatch(output, /Options error|Unrecognized option|deprecated/i)
      const [, address, port] = /\[AF_INET\]([0-9.]+):(\d+)/.exec(output) ?? []
      assert.ok(
        endpoints.some((one) => one.address === address && one.port === Number(port)),
        output,
      )
    })
  }

  test('shows what a cleaned profile must never do (negative control)', async (t) => {
    const [text = ''] = openvpnSamples().values()
    const { file } = parseVpnProfile('a', text)
    const { status, output } = await startOpenvpn(t, `${file}up-of-nobody /bin/true\n`)
    assert.notEqual(status, 0)
    assert.match(output, /Unrecognized option/)
    assert.match((await startOpenvpn(t, `${file}ca /nowhere\n`)).output, /\/nowhere/)
  })

  const skip = process.getuid?.() === 0 ? false : 'a tunnel takes /dev/net/tun'

  test('comes up with a real server, which cannot push a way past the tunnel', { skip }, async (t) => {
    const folder = await makeTempFolder(t)
    const pair = join(import.meta.dirname, '..', 'support', 'openvpn-pair.sh')
    assert.equal((await run(['bash', pair, 'keys', folder])).status, 0)
    const profile =
      'client\ndev tun\nproto udp\nremote 192.0.2.1 1194\nca ca.crt\ncert client.crt\nkey client.key\ncipher AES-256-GCM\n'
    const pushed = ['redirect-gateway def1', 'route 198.51.100.0 255.255.255.0 net_gateway', 'setenv-safe X 1']
    const server = ['port 1194', 'proto udp', 'dev tun', 'topology subnet', 'server 10.8.0.0 255.255.255.0', 'dh none']
    const files = ['ca ca.crt', 'cert server.crt', 'key server.key', ...pushed.map((one) => `push "${one}"`)]
    await writeFile(join(folder, 'server.conf'), `${[...server, ...files].join('\n')}\n`)
    const { file } = parseVpnProfile('a', profile, (path) => readFileSync(join(folder, path), 'utf8'))
    const pairRun = async (text: string): Promise<Ran> => {
      await writeFile(join(folder, 'clean.ovpn'), text, { mode: 0o600 })
      return run(['bash', pair, 'run', folder])
    }
    const { status, output } = await pairRun(file)
    assert.equal(status, 0, output)
    assert.match(output, /Initialization Sequence Completed/)
    assert.match(output, / tun0\s+inet 10\.8\.0\.2\/24/)
    for (const one of pushed) assert.ok(output.includes(`Pushed option removed by filter: '${one}'`), one)
    assert.doesNotMatch(output, /^(?:0\.0\.0\.0\/1|198\.51\.100\.0\/24) /m)
    // Negative control: without the filters the server does get its way.
    const trusting = await pairRun(file.replaceAll(/^pull-filter.*\n/gm, ''))
    assert.match(trusting.output, /^0\.0\.0\.0\/1 via 10\.8\.0\.1 dev tun0/m)
  })

  test('cuts lines into the same words', async (t) => {
    const file = join(await makeTempFolder(t), 'a.ovpn')
    const complaint = async (line: string): Promise<string> => {
      await writeFile(file, `${line}\n`)
      return (await run(['openvpn', '--config', file])).output
    }
    // OpenVPN names a directive that it does not know, and a type of name that it does not know.
    for (const spelled of [
      'a',
      '--a',
      "'a'",
      '"a b"',
      'a\\ b',
      '"a"b',
      'a"b',
      "'a\\b'",
      '"a\\"\\\\"',
      'a;b',
      '\t a',
      '---a',
      'a#',
      '"#a"',
    ]) {
      const [{ name } = assert.fail()] = parseLines([`${spelled} x`])
      assert.ok((await complaint(`${spelled} x`)).includes(`.ovpn:1: ${name} (2.`), spelled)
      const line = `verify-x509-name x ${spelled} # y`
      const [{ args } = assert.fail()] = parseLines([line])
      const output = await complaint(line)
      if (args.length === 2)
        assert.ok(output.includes(`unknown X.509 name type: ${args[1] ?? ''}\n`), `${spelled}: ${output}`)
      else assert.match(output, /missing or extra parameter/)
    }
    for (const broken of ['a b\\c', 'a "b', "a 'b", `a ${'b'.repeat(254)}`]) {
      assert.throws(() => parseLines([broken]))
      assert.match(await complaint(broken), /Bad backslash|No closing|Residual|length|too long/, broken)
    }
  })
})

describe('WireGuard', () => {
  test('takes the file: wg-quick strips nothing off it, and wg reads its keys', async (t) => {
    const folder = await makeTempFolder(t)
    const { file } = parseVpnProfile('a', wireguardSample())
    await writeFile(join(folder, 'wg0.conf'), file, { mode: 0o600 })
    const { status, output } = await run(['wg-quick', 'strip', join(folder, 'wg0.conf')])
    assert.equal(status, 0, output)
    assert.equal(output.trim(), file.trim())
  })

  test('wg setconf complains of the interface only, and of a damaged file before it', async (t) => {
    const folder = await makeTempFolder(t)
    const { file } = parseVpnProfile('a', wireguardSample())
    const setconf = async (text: string): Promise<Ran> => {
      await writeFile(join(folder, 'wg0.conf'), text, { mode: 0o600 })
      return run(['wg', 'setconf', 'nothere', join(folder, 'wg0.conf')])
    }
    assert.match((await setconf(file)).output, /^Unable to modify interface/)
    for (const line of ['PostUp = x', 'Address = 10.0.0.1', 'Endpoint = 192.0.2.1']) {
      assert.match((await setconf(`${file}${line}\n`)).output, /Line unrecognized|Unable to find port/)
    }
  })
})

test('OpenSSH takes the host key and the key to log in with', async (t) => {
  const folder = join(await makeTempFolder(t), 'ssh')
  await mkdir(folder)
  const { file } = parseVpnProfile('a', sshSample())
  const [, hostKey = ''] = /^host-key (.*)$/m.exec(file) ?? []
  await writeFile(join(folder, 'known_hosts'), `[192.0.2.40]:2222 ${hostKey}\n`)
  await writeFile(join(folder, 'key'), file.slice(file.indexOf('-----BEGIN')), { mode: 0o600 })
  const known = await run(['ssh-keygen', '-l', '-f', join(folder, 'known_hosts')])
  assert.match(known.output, /SHA256:.*\(ED25519\)/)
  const own = await run(['ssh-keygen', '-y', '-P', '', '-f', join(folder, 'key')])
  assert.equal(own.status, 0, own.output)
  assert.match(own.output, /^ssh-ed25519 /)
})
