/** Everything a connection can list, look up, define or create. */
import { deviceLookups, secretLookups } from './connect-devices.ts'
import { domainLookups } from './connect-domains.ts'
import { networkLookups } from './connect-networks.ts'
import { storageLookups } from './connect-storage.ts'

export const findMethods = {
  ...domainLookups,
  ...networkLookups,
  ...storageLookups,
  ...secretLookups,
  ...deviceLookups,
}
