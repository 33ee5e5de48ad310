import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { profileName, readVpnProfiles } from '../../src/operations/vpn-profiles.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { openvpnSamples, sshSample, vpnKeys, wireguardSample } from '../support/vpn-profiles.ts'

const [openvpn = ''] = openvpnSamples().values()
const { ca, cert, key } = vpnKeys()
const byFiles = 'client\ndev tun\nremote 192.0.2.1\nca ca.crt\ncert keys/my.crt\nkey keys/my.key\n'

/** Profiles as a provider packs them, one of them bad. */
async function makeFolder(t: TestContext): Promise<string> {
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'eu', 'keys'), { recursive: true })
  const files = {
    'AirVPN_SE-Stockholm_UDP-443.ovpn': openvpn,
    'wg.conf': wireguardSample(),
    'home.ssh': sshSample(),
    'eu/de.OVPN': byFiles,
    'eu/ca.crt': ca,
    'eu/keys/my.crt': cert,
    'eu/keys/my.key': key,
    'bad.ovpn': `${openvpn}up /bin/sh\n`,
    'README.txt': 'no profile',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

const NAMES = ['airvpn-se-stockholm-udp-443', 'de', 'home', 'wg']

async function readNames(t: TestContext, path: string): Promise<readonly string[]> {
  const workspace = await openLocalWorkspace(t)
  const { profiles, refused } = await readVpnProfiles(workspace, path)
  assert.deepEqual(
    refused.map((one) => [one.path, one.name]),
    [['bad.ovpn', 'bad']],
  )
  assert.match(refused[0]?.message ?? '', /^VPN profile bad, line \d+, up: it runs a program/)
  assert.deepEqual(
    (await readdir(workspace.paths.cache).catch(() => [])).filter((name) => name.startsWith('scratch-')),
    [],
  )
  return profiles.map(({ name }) => name).toSorted()
}

describe('readVpnProfiles', () => {
  test('takes a folder with what its profiles refer to, and tells which are refused', async (t) => {
    assert.deepEqual(await readNames(t, await makeFolder(t)), NAMES)
  })

  for (const [ending, option] of Object.entries({
    tar: '',
    'tar.gz': '-z',
    'tar.bz2': '-j',
    'tar.xz': '-J',
    'tar.zst': '--zstd',
  })) {
    test(`takes a ${ending}`, async (t) => {
      const folder = await makeFolder(t)
      const archive = join(await makeTempFolder(t), `profiles.${ending}`)
      execFileSync('tar', ['-c', ...(option === '' ? [] : [option]), '-f', archive, '-C', folder, '.'])
      assert.deepEqual(await readNames(t, archive), NAMES)
    })
  }

  test('takes a zip', async (t) => {
    const folder = await makeFolder(t)
    const archive = join(await makeTempFolder(t), 'profiles.zip')
    execFileSync('python3', [
      '-m',
      'zipfile',
      '-c',
      archive,
      ...(await readdir(folder)).map((name) => join(folder, name)),
    ])
    assert.deepEqual(await readNames(t, archive), NAMES)
  })

  test('takes one profile, whatever its ending, with files beside it, but not below or through links', async (t) => {
    const folder = await makeTempFolder(t)
    const workspace = await openLocalWorkspace(t, { folder })
    await mkdir(join(folder, 'keys'))
    for (const [name, text] of Object.entries({ 'ca.crt': ca, 'my.crt': cert, 'my.key': key, 'keys/ca.crt': ca }))
      await writeFile(join(folder, name), text)
    await symlink(join(folder, 'ca.crt'), join(folder, 'link.crt'))
    const withCa = (path: string): string => byFiles.replaceAll('keys/', '').replace('ca.crt', path)
    await writeFile(join(folder, 'House.txt'), withCa('./ca.crt'))
    const { profiles, refused } = await readVpnProfiles(workspace, 'House.txt')
    assert.deepEqual(refused, [])
    assert.deepEqual(
      profiles.map(({ name }) => name),
      ['house-txt'],
    )
    assert.ok(profiles[0]?.notes?.includes('Put into it as ca: the file "./ca.crt".'))
    for (const path of ['keys/ca.crt', '../ca.crt', '/etc/hostname', 'link.crt', 'nowhere', 'keys']) {
      await writeFile(join(folder, 'a.ovpn'), withCa(path))
      const found = await readVpnProfiles(workspace, 'a.ovpn')
      assert.match(found.refused[0]?.message ?? '', /, line 4, ca: the file .* is not there/, path)
    }
  })

  test('takes neither of two with one name', async (t) => {
    const folder = await makeTempFolder(t)
    for (const name of ['a b.ovpn', 'A-B.conf', 'c.ovpn']) await writeFile(join(folder, name), openvpn)
    const { profiles, refused } = await readVpnProfiles(await openLocalWorkspace(t), folder)
    assert.deepEqual(
      profiles.map(({ name }) => name),
      ['c'],
    )
    assert.deepEqual(
      refused.map(({ message }) => message),
      ['The name a-b is that of "a b.ovpn" too', 'The name a-b is that of "A-B.conf" too'],
    )
  })

  test('refuses what is not text', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'a.ovpn'), Buffer.from([0x63, 0xff, 0xfe]))
    const { refused } = await readVpnProfiles(await openLocalWorkspace(t), join(folder, 'a.ovpn'))
    assert.match(refused[0]?.message ?? '', /no text has/)
  })

  test('says so where there is nothing, no profile, too much, or a damaged archive', async (t) => {
    const folder = await makeTempFolder(t)
    const workspace = await openLocalWorkspace(t, { folder })
    await assert.rejects(readVpnProfiles(workspace, 'nowhere'), { code: 'USAGE' })
    await assert.rejects(readVpnProfiles(workspace, '/dev/null'), { code: 'USAGE' })
    await mkdir(join(folder, 'empty'))
    await assert.rejects(readVpnProfiles(workspace, 'empty'), { code: 'VPN_PROFILE_INVALID' })
    await writeFile(join(folder, 'large'), Buffer.alloc(17 * 1024 * 1024))
    await assert.rejects(readVpnProfiles(workspace, 'large'), { code: 'SIZE_EXCEEDED' })
    execFileSync(
      'sh',
      ['-c', 'gzip -c large > bomb.gz; xz -c -0 large > bomb.xz; printf "\\3757zXZ\\0broken" > broken.xz'],
      { cwd: folder },
    )
    await assert.rejects(readVpnProfiles(workspace, 'bomb.gz'), { code: 'SIZE_EXCEEDED' })
    await assert.rejects(readVpnProfiles(workspace, 'bomb.xz'), { code: 'SIZE_EXCEEDED' })
    await assert.rejects(readVpnProfiles(workspace, 'broken.xz'), { code: 'ARCHIVE_INVALID' })
  })
})

describe('profileName', () => {
  test('is made of the file, and of all of it where it had to be cut', () => {
    assert.equal(profileName('x/AirVPN_SE-Stockholm_UDP-443.ovpn'), 'airvpn-se-stockholm-udp-443')
    assert.equal(profileName('wg0.conf'), 'wg0')
    assert.equal(profileName(`${'a'.repeat(31)}.ovpn`), 'a'.repeat(31))
    const [one, two] = ['1', '2'].map((end) => profileName(`AirVPN_SE-Stockholm_Copernicus_UDP-443-Entry${end}.ovpn`))
    assert.match(one ?? '', /^airvpn-se-stockholm-co-[0-9a-f]{8}$/)
    assert.notEqual(one, two)
  })

  test('is a name that a profile may have, whatever the file is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (stem) => {
        const name = profileName(`${stem.replaceAll('/', '')}.ovpn`)
        assert.equal(parseVpnProfile(name, openvpn).name, name)
      }),
    )
  })
})
