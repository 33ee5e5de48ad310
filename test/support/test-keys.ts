/** Keys for tests, made once a process: Ed25519, valid from the beginning of 2026, without expiry unless asked. */
import { generateKey, type PrivateKey } from 'openpgp'
import type { Clock } from '../../src/ports.ts'
import { type Signer, signerOf } from '../../src/publish/signer.ts'

const BORN = new Date('2026-01-01T00:00:00Z')
const made = new Map<string, Promise<PrivateKey>>()

/** The same name gives the same key within a process. */
export async function testSigner(name: string, clock: Clock, expiresAfterDays?: number): Promise<Signer> {
  const id = `${name} ${expiresAfterDays ?? 'never'}`
  const key = made.get(id) ?? makeKey(name, expiresAfterDays)
  made.set(id, key)
  return signerOf(await key, clock)
}

/** The secret key itself, for signatures that are not ours. */
export async function testPrivateKey(name: string, expiresAfterDays?: number): Promise<PrivateKey> {
  const id = `${name} ${expiresAfterDays ?? 'never'}`
  const key = made.get(id) ?? makeKey(name, expiresAfterDays)
  made.set(id, key)
  return key
}

async function makeKey(name: string, expiresAfterDays: number | undefined): Promise<PrivateKey> {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: `test ${name}` }],
    subkeys: [],
    date: BORN,
    format: 'object',
    ...(expiresAfterDays === undefined ? {} : { keyExpirationTime: expiresAfterDays * 24 * 60 * 60 }),
  })
  return privateKey
}
