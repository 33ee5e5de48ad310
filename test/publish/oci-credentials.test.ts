import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { basicAuth } from '../../src/fetch/open-file.ts'
import { findOciLogin } from '../../src/publish/oci-credentials.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PLACE = { server: new URL('https://registry.example/'), repository: 'team/vmpkg' }
const encoded = (words: string): string => Buffer.from(words).toString('base64')
const url = (text: string): URL => new URL(text)

describe('findOciLogin', () => {
  test('takes what docker login left, the longest path first, then auth.conf; each for its own address', async (t) => {
    const home = await makeTempFolder(t)
    await mkdir(join(home, '.docker'))
    const auths = {
      'registry.example': { auth: encoded('all:1') },
      'https://registry.example/v2/team': { auth: 'not base64!' },
      'registry.example/team': { auth: encoded('team:2') },
      'https://index.example/v1/': { auth: encoded('old:3') },
      'helper.example': {},
    }
    await writeFile(join(home, '.docker', 'config.json'), JSON.stringify({ auths }))
    const authFile = join(home, 'auth.conf')
    await writeFile(authFile, 'machine tokens.example login me password 4\n', { mode: 0o600 })
    const login = await findOciLogin(PLACE, { env: {}, home, authFile })
    assert.equal(login(PLACE.server), basicAuth('team', '2'))
    assert.equal(login(url('https://index.example/token')), basicAuth('old', '3'))
    assert.equal(login(url('https://tokens.example/token')), basicAuth('me', '4'))
    assert.equal(login(url('https://helper.example/token')), undefined)
    assert.equal(login(url('https://registry.example:444/')), undefined)
  })

  test('follows the variables of docker and podman, and survives files that are none', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'config.json'), 'no JSON')
    await mkdir(join(folder, 'containers'))
    const auths = { 'registry.example': { auth: encoded('podman:1') } }
    await writeFile(join(folder, 'containers', 'auth.json'), JSON.stringify({ auths }))
    const env = { DOCKER_CONFIG: folder, XDG_RUNTIME_DIR: folder }
    const login = await findOciLogin(PLACE, { env, home: '/nowhere' })
    assert.equal(login(PLACE.server), basicAuth('podman', '1'))
    const named = await findOciLogin(PLACE, { env: { ...env, REGISTRY_AUTH_FILE: '/none' }, home: '/nowhere' })
    assert.equal(named(PLACE.server), undefined)
  })
})
