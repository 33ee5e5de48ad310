/** Paths of a registry's files below its address (formats 1). Pure; `fetch/` joins them to the address. */
import type { Sha256 } from '../model/digest.ts'

export const ENVELOPE_PATH = 'envelope.json'

export function rootPath(version: number): string {
  return `root/${version}.json`
}

/** The envelope that was current at `at`, its `issuedAt`, kept by `repo snapshot`. */
export function snapshotPath(at: Date): string {
  return `snapshot/${at
    .toISOString()
    .replace(/\.\d{3}Z$/, 'Z')
    .replaceAll(/[-:]/g, '')}.json`
}

export function indexPath(sha256: Sha256): string {
  return `index/${sha256}.jsonl.zst`
}

export function channelsPath(sha256: Sha256): string {
  return `channels/${sha256}.json`
}

export function packagePath(sha256: Sha256): string {
  return `package/${sha256}.vmpkg`
}

export function chunkMapPath(sha256: Sha256): string {
  return `map/${sha256}`
}

export function transportPath(sha256: Sha256): string {
  return `transport/${sha256}`
}
