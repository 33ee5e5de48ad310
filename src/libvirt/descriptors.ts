/**
 * libvirt's calls that pass a file descriptor over the socket. They are methods all the same, so that a program that
 * needs one is told why it cannot have it and what does the same.
 */
import { refuse } from './error.ts'

/** @throws {LibvirtError} `noSupport`, always */
export async function passDescriptor(name: string, instead: string): Promise<never> {
  const why = `${name} passes a file descriptor, which Node.js can neither send nor receive over a socket`
  throw refuse('noSupport', `${why}; ${instead}`, { procedure: name })
}
