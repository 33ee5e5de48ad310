/** Programs that the sandbox takes from the host, and the Debian packages that bring them. */
import { VmpkgError } from '../errors.ts'

const PACKAGES = { debugfs: 'e2fsprogs', 'grub-fstest': 'grub-common' } as const

/** What shells and chroot say of a program that is not there. */
const NOT_FOUND = 127

/** @throws {VmpkgError} `TOOL_MISSING` */
export function checkFound(program: keyof typeof PACKAGES, exitCode: number): void {
  if (exitCode !== NOT_FOUND) return
  throw new VmpkgError('TOOL_MISSING', `The program ${program} is not there`, {
    hint: `Install it with: apt install ${PACKAGES[program]}`,
    details: { program, debianPackage: PACKAGES[program] },
  })
}
