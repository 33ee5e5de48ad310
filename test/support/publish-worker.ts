/** A publisher as a process of its own: adds the built packages named on its command line, one version each. */
import { packImage } from '../../src/image/pack-image.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { openSigner } from '../../src/publish/signer.ts'

const [folder = '', keys = '', publisher = '', timestamp = '', ...packages] = process.argv.slice(2)
const clock = { now: () => new Date() }
const signer = await openSigner({ folder: keys, fingerprint: parseFingerprint(publisher), clock })
const timestamping = {
  signers: [await openSigner({ folder: keys, fingerprint: parseFingerprint(timestamp), clock })],
  clock,
}
for (const one of packages) {
  await addPackages({ folder, packages: [one], publishers: [signer], pack: packImage, timestamping })
}
