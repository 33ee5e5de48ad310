/** Over the packages that come with vmpkg, as they are before anything is built. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPackage } from '../../src/archive/load-package.ts'
import { grantName } from '../../src/model/capability.ts'
import { describeLaterGrants } from '../../src/operations/later-grants.ts'
import type { Choice } from '../../src/operations/package-choice.ts'
import { readPartials } from '../../src/operations/templates.ts'
import { readShipped } from '../../src/publish/package-files.ts'
import { mergeParameters } from '../../src/render/parameters.ts'
import { packageLine } from '../support/package-line.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')

async function choose(
  name: string,
  set: Readonly<Record<string, unknown>>,
  granted: readonly string[] = [],
): Promise<readonly string[]> {
  const { manifest, files } = await readShipped(join(TEMPLATES, name))
  const { kind, version, capabilities } = manifest
  const line = packageLine(name, version, { kind, capabilities })
  const choice: Choice = {
    pkg: { ...openPackage(files), line },
    grants: capabilities.filter((one) => granted.includes(grantName(one))),
    parameters: mergeParameters(manifest.parameters, [{ origin: 'command line', values: set }], { isPartial: true }),
  }
  return describeLaterGrants(choice, await readPartials())
}

test('what the chosen values will need is told with the parameters that need it', async () => {
  const [asked = '', rest = ''] = await choose('desktop-gaming', { disk: '/srv/one.qcow2' })
  assert.equal(
    asked,
    'vmpkg clone desktop-gaming will ask for host-file:write (disk), hugepages (hugepages), cpu-pinning (pin)',
  )
  assert.match(rest, /^Where you choose such values, desktop-gaming can also use pci:usb, pci:audio, block-device, /)
  assert.doesNotMatch(rest, /host-file:write|cpu-pinning/)
})

test('what is granted, or chosen off, is not told', async () => {
  const set = { disk: '/srv/one.qcow2', hugepages: false }
  const [asked = '', rest = ''] = await choose('desktop-gaming', set, ['cpu-pinning'])
  assert.equal(asked, 'vmpkg clone desktop-gaming will ask for host-file:write (disk)')
  assert.match(rest, /hugepages/)
  assert.doesNotMatch(rest, /cpu-pinning/)
})

test('a router and a package without optional capabilities have nothing to tell', async () => {
  assert.deepEqual(await choose('router-uni', {}), [])
  assert.deepEqual(await choose('app-console', {}), [])
})
