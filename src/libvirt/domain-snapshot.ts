/** A domain's snapshots and checkpoints: making, listing, finding. */
import { bool, flags, list, string, xml } from './codecs.ts'
import { call } from './methods.ts'
import { checkpoint, snapshot } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

export const snapshotListFlags = flags({
  roots: 1,
  metadata: 2,
  leaves: 4,
  noLeaves: 8,
  noMetadata: 16,
  inactive: 32,
  active: 64,
  diskOnly: 128,
  internal: 256,
  external: 512,
  topological: 1024,
})

export const snapshotMethods = {
  snapshotCreateXML: call(
    'DOMAIN_SNAPSHOT_CREATE_XML',
    185,
    '0.8.0',
    {
      xml,
      flags: flags({
        redefine: 1,
        current: 2,
        noMetadata: 4,
        halt: 8,
        diskOnly: 16,
        reuseExternal: 32,
        quiesce: 64,
        atomic: 128,
        live: 256,
        validate: 512,
      }),
    },
    { snapshot },
  ),
  listAllSnapshots: call(
    'DOMAIN_LIST_ALL_SNAPSHOTS',
    274,
    '0.9.13',
    { need, flags: snapshotListFlags },
    { snapshots: list(snapshot), ret: counted },
  ),
  snapshotLookupByName: call(
    'DOMAIN_SNAPSHOT_LOOKUP_BY_NAME',
    189,
    '0.8.0',
    { name: string, flags: none },
    { snapshot },
  ),
  hasCurrentSnapshot: call('DOMAIN_HAS_CURRENT_SNAPSHOT', 190, '0.8.0', { flags: none }, { result: bool }),
  snapshotCurrent: call('DOMAIN_SNAPSHOT_CURRENT', 191, '0.8.0', { flags: none }, { snapshot }),
  checkpointCreateXML: call(
    'DOMAIN_CHECKPOINT_CREATE_XML',
    411,
    '5.6.0',
    { xml, flags: flags({ redefine: 1, quiesce: 2, redefineValidate: 4 }) },
    { checkpoint },
  ),
  listAllCheckpoints: call(
    'DOMAIN_LIST_ALL_CHECKPOINTS',
    413,
    '5.6.0',
    { need, flags: flags({ roots: 1, topological: 2, leaves: 4, noLeaves: 8 }) },
    { checkpoints: list(checkpoint), ret: counted },
  ),
  checkpointLookupByName: call(
    'DOMAIN_CHECKPOINT_LOOKUP_BY_NAME',
    415,
    '5.6.0',
    { name: string, flags: none },
    { checkpoint },
  ),
}
