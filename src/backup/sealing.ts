/**
 * OpenPGP encryption of the files of a backup: each one message, which `gpg --decrypt` opens. They are bounded in size,
 * so one is in memory at a time and none touches a disk in the clear.
 *
 * Source: RFC 9580 5.13 (integrity protected data). Test oracle: `gpg`, both ways.
 */
import {
  createMessage,
  decrypt,
  decryptKey,
  encrypt,
  type PrivateKey,
  readMessage,
  readPrivateKey,
  readPrivateKeys,
} from 'openpgp'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { Clock } from '../ports.ts'
import type { Certificate } from '../trust/certificate.ts'
import { OPENPGP_CONFIG } from '../trust/policy.ts'

/** Turns the bytes of a file into those that are stored. */
export interface Sealer {
  /** Of the certificates, sorted: empty where nothing is encrypted. */
  readonly recipients: readonly Fingerprint[]
  seal(bytes: Uint8Array): Promise<Uint8Array>
}

/** The way back. */
export type Opener = (bytes: Uint8Array, subject: string) => Promise<Uint8Array>

export const PLAIN_SEALER: Sealer = { recipients: [], seal: async (bytes) => bytes }

/** @throws {VmpkgError} `KEY_INVALID` where a certificate has no valid key to encrypt to */
export async function sealTo(certificates: readonly Certificate[], clock: Clock): Promise<Sealer> {
  for (const { key, fingerprint } of certificates) {
    await key.getEncryptionKey(undefined, clock.now(), undefined, OPENPGP_CONFIG).catch((cause: unknown) => {
      throw new VmpkgError('KEY_INVALID', `Nothing can be encrypted to ${fingerprint}`, {
        hint: 'Name a certificate with a valid encryption key: gpg --export KEY shows gpg’s.',
        cause,
      })
    })
  }
  const encryptionKeys = certificates.map(({ key }) => key)
  return {
    recipients: certificates.map(({ fingerprint }) => fingerprint).toSorted(),
    async seal(bytes) {
      const sealed: unknown = await encrypt({
        message: await createMessage({ binary: bytes }),
        encryptionKeys,
        format: 'binary',
        date: clock.now(),
        config: OPENPGP_CONFIG,
      })
      if (!(sealed instanceof Uint8Array)) throw new TypeError('a binary message was asked for')
      return sealed
    },
  }
}

/** @param maxBytes of one file once it is open */
export function openWith(keys: readonly PrivateKey[], maxBytes: number): Opener {
  return async (bytes, subject) => {
    try {
      const opened = await decrypt({
        message: await readMessage({ binaryMessage: bytes, config: OPENPGP_CONFIG }),
        decryptionKeys: [...keys],
        format: 'binary',
        config: { ...OPENPGP_CONFIG, maxDecompressedMessageSize: maxBytes },
      })
      const data: unknown = opened.data
      if (!(data instanceof Uint8Array)) throw new TypeError('binary data was asked for')
      return data
    } catch (cause) {
      throw new VmpkgError('BACKUP_INVALID', `${subject} cannot be decrypted with that key`, {
        hint: 'vmpkg backup list says to which keys it is encrypted.',
        cause,
      })
    }
  }
}

/** Binary or armored. @throws {VmpkgError} `KEY_INVALID` */
export async function readSecretKey(bytes: Uint8Array, passphrase: () => Promise<string>): Promise<PrivateKey> {
  let key: PrivateKey
  try {
    const isArmored = Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '-----'
    key = isArmored
      ? await readPrivateKey({ armoredKey: Buffer.from(bytes).toString('latin1'), config: OPENPGP_CONFIG })
      : firstOf(await readPrivateKeys({ binaryKeys: bytes, config: OPENPGP_CONFIG }))
  } catch (cause) {
    throw new VmpkgError('KEY_INVALID', 'The file holds no OpenPGP secret key', {
      hint: 'Write it with: gpg --export-secret-keys KEY > FILE',
      cause,
    })
  }
  if (key.isDecrypted()) return key
  const words = await passphrase()
  try {
    return await decryptKey({ privateKey: key, passphrase: words, config: OPENPGP_CONFIG })
  } catch (cause) {
    throw new VmpkgError('KEY_INVALID', `The passphrase does not open the secret key ${key.getFingerprint()}`, {
      cause,
    })
  }
}

function firstOf([key]: readonly PrivateKey[]): PrivateKey {
  if (key === undefined) throw new Error('no key')
  return key
}
