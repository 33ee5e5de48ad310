/**
 * Whether any envelope has had its end, asked by every command that reads packages (threats M04): one statement, so that a
 * list starts fast. What that means for each source is in `freshness.ts`, loaded only then.
 */
import { TrustMarkStore } from '../state/trust-marks.ts'
import type { Workspace } from './workspace.ts'

/** One line a source, for commands that only read. Costs nothing while nothing has expired. */
export async function warnOfExpiry(workspace: Workspace): Promise<void> {
  const { trust, outside } = workspace
  if (!new TrustMarkStore(trust, outside.clock).hasExpired(outside.clock.now())) return
  const { warnExpired } = await import('./freshness.ts')
  await warnExpired(workspace)
}
