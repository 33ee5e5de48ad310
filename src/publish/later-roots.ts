/**
 * New root files at a target: they go to their places after the envelope that carries them (`carried-roots.ts`), for a
 * root file alone would make readers refuse the envelope that is still there. Whether they fit is asked before.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { splitRoots } from './carried-roots.ts'
import type { RegistryFile } from './registry-files.ts'
import { type UploadOptions, uploadMissing } from './upload.ts'

const ROOT = /^root\/([0-9]+)\.json$/

export interface RootUpload extends RegistryFile {
  readonly version: number
}

/** The root files that follow the one of the envelope at the target go later than the rest. */
export function splitUpload(
  files: readonly RegistryFile[],
  envelopeFile: Uint8Array | undefined,
): { readonly first: readonly RegistryFile[]; readonly later: readonly RootUpload[] } {
  return splitRoots(
    files.map((file) => ({ ...file, version: Number(ROOT.exec(file.path)?.[1] ?? 0) })),
    envelopeFile,
  )
}

/** Uploads nothing. @throws {VmpkgError} `REGISTRY_CHANGED` where the target has another root file of that number */
export async function missingRoots(
  options: Omit<UploadOptions, 'files'>,
  roots: readonly RegistryFile[],
): Promise<readonly RegistryFile[]> {
  return uploadMissing({ ...options, files: roots, dryRun: true })
}

/** @throws {VmpkgError} `TARGET_FAILED`: the version is published all the same, and nothing begins anew */
export async function placeLater(options: Omit<UploadOptions, 'files'>, roots: readonly RegistryFile[]): Promise<void> {
  if (roots.length === 0) return
  try {
    await uploadMissing({ ...options, files: roots })
  } catch (error) {
    if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
    const names = roots.map(({ path }) => path).join(', ')
    throw new VmpkgError(
      'TARGET_FAILED',
      `The new version is published, but ${names} is not in its place: ${error.message}`,
      {
        hint: 'Readers take it from the envelope meanwhile; vmpkg repo resign puts it into its place.',
        cause: error,
      },
    )
  }
}
