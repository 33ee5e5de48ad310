/** A number of things, written as a word of the command line. */
import { VmpkgError } from '../errors.ts'

const MOST = 1000

/** @throws {VmpkgError} `USAGE` */
export function parseCount(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= MOST) return Number(text)
  throw new VmpkgError('USAGE', `${JSON.stringify(text.slice(0, 40))} is no number from 0 to ${MOST}`)
}
