import { sha256 } from '../../src/model/digest.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'

/** What the metadata of an ephemeral machine of an app says. */
export const APP_FACTS: DomainFacts = {
  package: 'app-x',
  version: '1.0',
  digest: sha256('x'),
  origin: 'test',
  createdAt: '2026-11-01T00:00:00Z',
  kind: 'app',
  ephemeral: true,
  parameters: {},
}
