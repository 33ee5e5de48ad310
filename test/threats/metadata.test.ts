/** Attacks on the metadata of a registry and by its mirrors (docs/threats.md, M). */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { refused, threatCase } from '../support/threat-case.ts'

threatCase({
  id: 'M05',
  title: 'an older valid envelope is refused once a newer one was seen',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const old = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-two' })
    const { marks } = await refresh({ ...registry, now })
    await writeFile(join(registry.folder, 'envelope.json'), old)
    await refused('ENVELOPE_ROLLED_BACK', () => refresh({ ...registry, now, marks }))
  },
  controls: [{ file: 'src/trust/envelope.ts', find: 'verifyNotOlder(envelope, payloadDigest, marks)', replace: '' }],
})
