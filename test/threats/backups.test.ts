/** Backups that somebody else wrote: what a folder says is defined in libvirt only when this host, or one that the user names, signed it. */
import { join } from 'node:path'
import { prepareBackupFolder, writeSigner } from '../../src/backup/folder.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import { ensureBackupKey, signBackup, verifyBackup } from '../../src/operations/backup-key.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { refused, threatCase } from '../support/threat-case.ts'

threatCase({
  id: 'L06',
  title: 'a backup that another host made, or that was changed, is not believed',
  attack: async (t) => {
    const [own, other] = [await openLocalWorkspace(t), await openLocalWorkspace(t)]
    const folder = join(await makeTempFolder(t), 'backups')
    await prepareBackupFolder(folder)
    const bytes = Buffer.from('{"a backup":1}')
    const keys = { own: await ensureBackupKey(own), other: await ensureBackupKey(other) }
    await writeSigner(folder, keys.other.fingerprint, Buffer.from(keys.other.key.armor()))
    const foreign = {
      folder,
      bytes,
      signature: await signBackup(other, keys.other, bytes),
      signer: keys.other.fingerprint,
    }
    await refused('SIGNATURE_UNTRUSTED', async () => verifyBackup(own, foreign, undefined))
    await refused('SIGNATURE_UNTRUSTED', async () => verifyBackup(own, foreign, keys.own.fingerprint))
    await verifyBackup(own, foreign, parseFingerprint(keys.other.fingerprint))
    const mine = { folder, bytes, signature: await signBackup(own, keys.own, bytes), signer: keys.own.fingerprint }
    await verifyBackup(own, mine, undefined)
    await refused('SIGNATURE_INVALID', async () =>
      verifyBackup(own, { ...mine, bytes: Buffer.from('{"a backup":2}') }, undefined),
    )
  },
  controls: [
    { file: 'src/operations/backup-key.ts', find: 'if (trusted !== signer) {', replace: 'if (trusted === null) {' },
    { file: 'src/operations/backup-key.ts', find: 'await verifySignature(bytes, signature, own, now)', replace: '' },
  ],
})
