/** Checks of plain values: what they may look like where they reach nothing of the host. */
import { type Check, matching, oneOf, type Rule } from '../policy.ts'

export const number = matching(/^[0-9]{1,6}$/, 'a small number')
export const large = matching(/^[0-9]{1,15}$/, 'a number')
export const signed = matching(/^-?[0-9]{1,9}$/, 'a number')
export const word = matching(/^[A-Za-z0-9._+-]{1,64}$/, 'a plain word')
export const hexadecimal = matching(/^(?:0x)?[0-9a-fA-F]{1,16}$/, 'a number')
export const line = matching(/^[\x20-\x7E\u00A0-\uFFFD]{0,256}$/u, 'one line of at most 256 printable characters')
export const uuid = matching(/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'a UUID')
export const macAddress = matching(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, 'a MAC address in lower case')
export const cpuSet = matching(/^[0-9][0-9,^-]{0,255}$/, 'a list of numbers such as 0-3,^2')
export const ipAddress = matching(/^(?:[0-9.]{7,15}|[0-9a-fA-F:.]{2,45})$/, 'an IP address')
export const yesNo = oneOf('yes', 'no')
export const onOff = oneOf('on', 'off')
export const no = oneOf('no')
/** The words of libvirt's scaled integers, and none that is nothing but large. */
export const unit = oneOf('b', 'bytes', 'B', 'KB', 'k', 'KiB', 'K', 'MB', 'M', 'MiB', 'GB', 'G', 'GiB')
export const loopback = oneOf('127.0.0.1', '::1', 'localhost')

/** An element that is nothing but attributes of the same kind. */
export function attributes(check: Check, ...names: readonly string[]): Rule {
  return { attributes: Object.fromEntries(names.map((name) => [name, check])) }
}

/** `<x state='on'/>`, as the features are. */
export const switched: Rule = attributes(onOff, 'state')

/** `<x unit='MiB'>64</x>` */
export const quantity: Rule = { attributes: { unit }, text: large }

export function textOf(check: Check): Rule {
  return { text: check }
}

/** One rule under several names. */
export function each<T>(value: T, ...names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name) => [name, value]))
}
