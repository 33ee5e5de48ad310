import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { mirrorAptSources, readHostAptSources } from '../../src/publish/apt-sources.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

async function aptFolder(
  t: Parameters<typeof makeTempFolder>[0],
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'sources.list.d'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

describe('readHostAptSources', () => {
  test('takes the deb822 entries of the suite and its updates', async (t) => {
    const folder = await aptFolder(t, {
      'sources.list.d/debian.sources': `Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates trixie
Components: main contrib
Signed-By: ${KEYRING}

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
Signed-By: ${KEYRING}
`,
    })
    assert.deepEqual(await readHostAptSources('bookworm', ['main'], folder), [
      `deb [signed-by=${KEYRING}] http://mirror.test/debian bookworm main`,
      `deb [signed-by=${KEYRING}] http://mirror.test/debian bookworm-updates main`,
      `deb [signed-by=${KEYRING}] http://mirror.test/debian-security bookworm-security main`,
    ])
  })

  test('takes one-line entries and drops third parties, sources, other suites and disabled stanzas', async (t) => {
    const folder = await aptFolder(t, {
      'sources.list': `# deb http://commented.test/debian bookworm main
deb http://mirror.test/debian/ bookworm main non-free
deb-src http://mirror.test/debian bookworm main
deb http://mirror.test/debian sid main
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.asc] http://vendor.test/debian bookworm main
deb http://vendor.test/apt bookworm main
`,
      'sources.list.d/off.sources': `Types: deb
Enabled: no
URIs: http://off.test/debian
Suites: bookworm
Components: main
`,
      'sources.list.d/old.list.disabled': 'deb http://disabled.test/debian bookworm main\n',
    })
    assert.deepEqual(await readHostAptSources('bookworm', ['main'], folder), [
      `deb [signed-by=${KEYRING}] http://mirror.test/debian/ bookworm main`,
    ])
  })

  test('says so when the machine has no Debian source for the suite', async (t) => {
    const folder = await aptFolder(t, { 'sources.list': 'deb http://mirror.test/debian bookworm-updates main\n' })
    await assert.rejects(readHostAptSources('bookworm', ['main'], folder), (error) =>
      isVmpkgError(error, 'BUILD_FAILED'),
    )
    await assert.rejects(readHostAptSources('bookworm', ['main'], join(folder, 'none')), (error) =>
      isVmpkgError(error, 'BUILD_FAILED'),
    )
  })
})

test('a mirror that the user names becomes one verified entry', () => {
  assert.deepEqual(mirrorAptSources(new URL('http://mirror.test/debian/'), 'bookworm', ['main']), [
    `deb [signed-by=${KEYRING}] http://mirror.test/debian bookworm main`,
  ])
})
