/** Everything a connection can list, look up, define or create. */
import { deviceLookups, secretLookups } from './connect-devices.ts'
import { domainLookups } from './connect-domains.ts'
import { networkLookups } from './connect-networks.ts'
import { storageLookups } from './connect-storage.ts'

/** Named by its parts: spelled out, the declarations would lose the comments of the rows from other files. */
type FindMethods = typeof domainLookups &
  typeof networkLookups &
  typeof storageLookups &
  typeof secretLookups &
  typeof deviceLookups

export const findMethods: FindMethods = {
  ...domainLookups,
  ...networkLookups,
  ...storageLookups,
  ...secretLookups,
  ...deviceLookups,
}
