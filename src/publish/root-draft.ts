/**
 * The offline ceremony of a rotation: a draft of root file N+1 travels from holder to holder, each adds a signature, and
 * when the thresholds of old and new are met it is a root file. The draft carries root N, so that each holder sees on the
 * machine of the key what would change. Drafts come by any way and are hostile: what counts is only what verifies.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { toBase64 } from '../model/base64.ts'
import { canonicalJsonBytes, parseCanonicalJson } from '../model/canonical-json.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { Root, WireSignature } from '../model/registry.ts'
import { FILE_LIMITS, formatRoot, formatSignedFile, parseRoot, parseSignedFile } from '../model/registry-schema.ts'
import { bytes, fingerprint, parseShape } from '../model/shape.ts'
import { readCertificate } from '../trust/certificate.ts'
import { preAuthEncoding } from '../trust/pae.ts'
import { inspectRoot, openPinnedRoot, verifyNextRoot } from '../trust/root-chain.ts'
import { verifySignature } from '../trust/signature.ts'
import type { Signer } from './signer.ts'

export interface RootDraft {
  /** The file of root N. */
  readonly beforeFile: Uint8Array
  readonly before: Root
  readonly root: Root
  /** The exact bytes of root N+1 that are signed. */
  readonly payload: Uint8Array
  readonly signatures: readonly WireSignature[]
}

/** How far a draft is. */
export interface DraftProgress {
  readonly role: 'old' | 'new'
  readonly threshold: number
  readonly signed: readonly Fingerprint[]
  readonly missing: readonly Fingerprint[]
}

const MAX_DRAFT_BYTES = 3 * FILE_LIMITS.root
const shape = z.strictObject({
  before: bytes,
  payload: bytes,
  signatures: z.array(z.strictObject({ fingerprint, signature: bytes })).max(64),
})
const FAILURE = { code: 'ROOT_INVALID', subject: 'The draft of a root file' } as const

export function makeDraft(beforeFile: Uint8Array, root: Root): RootDraft {
  const { payload: beforePayload } = parseSignedFile(beforeFile, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root)
  const payload = formatRoot(root)
  return { beforeFile, before: parseRoot(beforePayload), root: parseRoot(payload), payload, signatures: [] }
}

/** @throws {VmpkgError} `ROOT_INVALID` */
export function parseDraft(file: Uint8Array): RootDraft {
  const value = parseCanonicalJson(file, { ...FAILURE, maxBytes: MAX_DRAFT_BYTES })
  const { before, payload, signatures } = parseShape(shape, value, FAILURE)
  const signed = parseSignedFile(before, 'ROOT_INVALID', 'The root file in the draft', FILE_LIMITS.root)
  const draft = {
    beforeFile: before,
    before: parseRoot(signed.payload),
    root: parseRoot(payload),
    payload,
    signatures: signatures.map((one) => ({ ...one, role: 'root' as const })),
  }
  if (draft.root.version === draft.before.version + 1 && draft.root.registryId === draft.before.registryId) return draft
  throw new VmpkgError('ROOT_INVALID', 'The draft does not follow the root file that it carries')
}

export function formatDraft({ beforeFile, payload, signatures }: RootDraft): Uint8Array {
  return canonicalJsonBytes({
    before: toBase64(beforeFile),
    payload: toBase64(payload),
    signatures: signatures.map((one) => ({ fingerprint: one.fingerprint, signature: toBase64(one.signature) })),
  })
}

/** Holders of the root role, old and new. */
export function rootHolders({ before, root }: Pick<RootDraft, 'before' | 'root'>): readonly Fingerprint[] {
  return [...new Set([...before.root.keys, ...root.root.keys])]
}

/** A key that has signed already signs once. */
export async function signDraft(draft: RootDraft, signers: readonly Signer[]): Promise<RootDraft> {
  const fresh = signers.filter((one) => !draft.signatures.some(({ fingerprint: key }) => key === one.fingerprint))
  const added = await Promise.all(fresh.map((one) => one.sign('root', 'root', draft.payload)))
  return { ...draft, signatures: [...draft.signatures, ...added] }
}

/** Only signatures that verify count. */
export async function draftProgress(draft: RootDraft, now: Date): Promise<readonly DraftProgress[]> {
  const valid = await findValid(draft, now)
  return (['old', 'new'] as const).map((role) => {
    const { keys, threshold } = role === 'old' ? draft.before.root : draft.root.root
    return {
      role,
      threshold,
      signed: keys.filter((key) => valid.includes(key)),
      missing: keys.filter((key) => !valid.includes(key)),
    }
  })
}

/** The finished root file. @throws {VmpkgError} `THRESHOLD_UNMET` `ROOT_INVALID`, or why its signatures do not count */
export async function finishDraft(draft: RootDraft, now: Date): Promise<Uint8Array> {
  if (draft.signatures.length === 0) {
    throw new VmpkgError('THRESHOLD_UNMET', 'Nobody has signed the draft yet', {
      hint: 'Holders of root keys run vmpkg repo sign-root FILE.',
    })
  }
  const file = formatSignedFile({ payload: draft.payload, signatures: draft.signatures })
  const { pin } = await inspectRoot(draft.beforeFile, now)
  await verifyNextRoot(await openPinnedRoot(draft.beforeFile, pin, now), file, now)
  return file
}

async function findValid({ before, root, payload, signatures }: RootDraft, now: Date): Promise<readonly Fingerprint[]> {
  const message = preAuthEncoding('root', payload)
  const valid: Fingerprint[] = []
  for (const { fingerprint: key, signature } of signatures) {
    const certificate = root.certificates.get(key) ?? before.certificates.get(key)
    if (certificate === undefined) continue
    try {
      await verifySignature(message, signature, await readCertificate(certificate), now)
      valid.push(key)
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
    }
  }
  return valid
}
