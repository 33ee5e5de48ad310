/** The channels file: named by the envelope, signed by the promoter, never older than seen (decisions 4, threats K10). */
import { VmpkgError } from '../errors.ts'
import type { Channels, Envelope } from '../model/registry.ts'
import { FILE_LIMITS, parseChannels, parseSignedFile } from '../model/registry-schema.ts'
import { verifyContent } from './content.ts'
import type { TrustMarks } from './marks.ts'
import { verifyRole } from './roles.ts'
import type { TrustedRoot } from './root-chain.ts'
import { markVerified, type Verified } from './verified.ts'

export interface ChannelsCheck {
  readonly file: Uint8Array
  readonly envelope: Verified<Envelope>
  readonly root: TrustedRoot
  readonly marks: TrustMarks
  readonly keysAt: Date
}

/**
 * @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` `CHANNELS_INVALID` `CHANNELS_ROLLED_BACK`, or why its signatures
 *   do not count
 */
export async function verifyChannels(check: ChannelsCheck): Promise<Verified<Channels>> {
  const { envelope, root, marks } = check
  const file = verifyContent(check.file, envelope.channels, 'The channels file')
  const signed = parseSignedFile(file, 'CHANNELS_INVALID', 'The channels file', FILE_LIMITS.channels)
  await verifyRole({
    subject: 'The channels file',
    type: 'channels',
    ...signed,
    roleName: 'promoter',
    role: root.root.promoter,
    certificates: root.certificates,
    now: check.keysAt,
  })
  const channels = parseChannels(signed.payload)
  if (channels.registryId !== root.root.registryId || channels.version !== envelope.channels.version) {
    throw new VmpkgError('CHANNELS_INVALID', 'The channels file is not the one that the envelope means')
  }
  const seen = marks.channels
  const isOlder = seen !== undefined && channels.version < seen.version
  const isOther = seen?.version === channels.version && seen.sha256 !== envelope.channels.sha256
  if (isOlder || isOther) {
    throw new VmpkgError(
      'CHANNELS_ROLLED_BACK',
      `The registry offers channels ${channels.version} after ${seen.version}`,
      {
        hint: 'The mirror is behind or an old copy is replayed; use another mirror.',
        details: { offered: channels.version, seen: seen.version },
      },
    )
  }
  return markVerified(channels)
}
