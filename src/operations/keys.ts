/** The publisher's key folder: keys are named by full fingerprint, or by a user ID that only one of them carries. */
import { readdir } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { RoleKeys } from '../model/registry.ts'
import { listKeys } from '../publish/key.ts'
import { openSigner, type Signer } from '../publish/signer.ts'
import type { Certificate } from '../trust/certificate.ts'
import { keyFolder } from './key-folder.ts'
import type { Workspace } from './workspace.ts'

export interface KeyAccess {
  /** From `--keys`. */
  readonly keys: string | undefined
  /** Asked once, and only when a key turns out to be locked. */
  readonly passphrase: () => Promise<string>
}

export class KeyRing {
  readonly folder: string
  readonly #workspace: Workspace
  readonly #passphrase: () => Promise<string>
  #asked: Promise<string> | undefined

  constructor(workspace: Workspace, { keys, passphrase }: KeyAccess) {
    this.#workspace = workspace
    this.folder = keyFolder(workspace, keys)
    this.#passphrase = passphrase
  }

  /** @throws {VmpkgError} `KEY_UNKNOWN` when none or several carry the name. */
  async get(name: string): Promise<Certificate> {
    const found = (await listKeys(this.folder)).filter(
      ({ fingerprint, userIds }) => fingerprint === name.toUpperCase().replaceAll(' ', '') || userIds.includes(name),
    )
    const [certificate, ...others] = found
    if (certificate !== undefined && others.length === 0) return certificate
    throw new VmpkgError(
      'KEY_UNKNOWN',
      `${found.length === 0 ? 'No key' : 'More than one key'} is named ${JSON.stringify(name.slice(0, 80))} in ${this.folder}`,
      { hint: found.length === 0 ? `Make it: vmpkg key generate ${name}` : 'Name it by its full fingerprint.' },
    )
  }

  /** Of these fingerprints the keys whose secret part the folder holds. */
  async held(fingerprints: readonly Fingerprint[]): Promise<readonly Certificate[]> {
    const secrets = new Set(await readdir(this.folder).catch(() => []))
    return (await listKeys(this.folder)).filter(
      ({ fingerprint }) => fingerprints.includes(fingerprint) && secrets.has(`${fingerprint}.secret.asc`),
    )
  }

  /**
   * The keys of a role, when the folder holds as many as must sign; `subject` is what they would sign.
   *
   * @throws {VmpkgError} `KEY_UNKNOWN` `KEY_INVALID`
   */
  async role({ keys, threshold }: RoleKeys, subject: string): Promise<readonly Signer[]> {
    const held = await this.held(keys)
    if (held.length >= threshold) return this.signers(held)
    throw new VmpkgError(
      'KEY_UNKNOWN',
      `${subject} needs ${threshold} keys, ${this.folder} has ${held.length} of them`,
      {
        hint: 'Name the folder that holds them with --keys.',
        details: { among: keys, held: held.map(({ fingerprint }) => fingerprint) },
      },
    )
  }

  /** Opens a secret key, asking for the passphrase when it has one. @throws {VmpkgError} `KEY_UNKNOWN` `KEY_INVALID` */
  async signer({ fingerprint }: Certificate): Promise<Signer> {
    const options = { folder: this.folder, fingerprint, clock: this.#workspace.outside.clock }
    if (!(await isLocked(this.folder, fingerprint))) return openSigner(options)
    this.#asked ??= this.#passphrase()
    return openSigner({ ...options, passphrase: await this.#asked })
  }

  async signers(certificates: readonly Certificate[]): Promise<readonly Signer[]> {
    const signers: Signer[] = []
    for (const certificate of certificates) signers.push(await this.signer(certificate))
    return signers
  }
}

async function isLocked(folder: string, fingerprint: Fingerprint): Promise<boolean> {
  const { isSecretKeyLocked } = await import('../publish/key-lock.ts')
  return isSecretKeyLocked(folder, fingerprint)
}
