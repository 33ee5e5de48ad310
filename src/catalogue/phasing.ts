/**
 * Phased updates: a version offered to a percentage of hosts reaches the same hosts first and stays with them. Pure.
 * Source: the channels file's `phasedPercent`; the idea is that of Ubuntu's Phased-Update-Percentage.
 */
import { sha256 } from '../model/digest.ts'

/** `seed` is a secret of the host, so that nobody outside knows which hosts are early. */
export function isPhasedIn(seed: string, name: string, version: string, percent: number): boolean {
  if (percent >= 100) return true
  return Number.parseInt(sha256(`${seed} ${name} ${version}`).slice(0, 8), 16) % 100 < percent
}
