/** Full OpenPGP fingerprints, upper-case hexadecimal as gpg prints them: 40 digits for v4 keys, 64 for v6. Key ids are refused. */
import { VmpkgError } from '../errors.ts'

declare const brand: unique symbol

export type Fingerprint = string & { readonly [brand]: 'fingerprint' }

export function isFingerprint(text: string): text is Fingerprint {
  return /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(text)
}

/** Accepts what people paste: lower case, blanks, a leading `0x`. @throws {VmpkgError} `KEY_INVALID` */
export function parseFingerprint(text: string): Fingerprint {
  const plain = text.replace(/^0x/i, '').replaceAll(/[ :]/g, '').toUpperCase()
  if (isFingerprint(plain)) return plain
  throw new VmpkgError('KEY_INVALID', `Not a full fingerprint: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'Give all 40 digits, as `gpg --fingerprint` prints them; short key ids can be forged.',
  })
}
