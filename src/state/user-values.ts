/**
 * Parameter values that the user keeps in files: for the whole host (`values/<package>.yaml`, `values/_all.yaml`) and in
 * named sets (`profiles/<profile>.yaml`, values by package, `*` for all). Plain YAML, read anew by each command; what the
 * values may be is judged where they are merged.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { isPackageName } from '../model/name.ts'
import { parseShape } from '../model/shape.ts'
import type { Paths } from './paths.ts'

/** Values of one file: those for one package are an error where it has no such parameter, those for all are not. */
export interface UserValues {
  readonly origin: 'profile' | 'host'
  readonly forAll: Readonly<Record<string, unknown>>
  readonly forPackage: Readonly<Record<string, unknown>>
}

const MAX_CHARACTERS = 256 * 1024
const PROFILE = /^[a-z][a-z0-9-]{0,39}$/
const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])
const values = z.record(z.string(), value)
const profile = z.record(
  z.string().refine((name) => name === '*' || isPackageName(name), 'neither a package name nor *'),
  values,
)

/** Of the host, for one package. @throws {VmpkgError} `PARAMETER_INVALID` a file that cannot be read */
export function readHostValues({ values: folder }: Pick<Paths, 'values'>, packageName: string): UserValues {
  const read = (name: string) => readYaml(join(folder, `${name}.yaml`), values) ?? {}
  return { origin: 'host', forAll: read('_all'), forPackage: read(packageName) }
}

/** Of a profile, for one package; undefined where the user has no profile of that name. @throws as `readHostValues` */
export function readProfile(
  { profiles }: Pick<Paths, 'profiles'>,
  name: string,
  packageName: string,
): UserValues | undefined {
  if (!PROFILE.test(name)) {
    throw new VmpkgError('USAGE', `Not the name of a profile: ${JSON.stringify(name.slice(0, 60))}`, {
      hint: 'Use at most 40 lower-case letters, digits and hyphens, starting with a letter.',
    })
  }
  const found = readYaml(join(profiles, `${name}.yaml`), profile)
  return found && { origin: 'profile', forAll: found['*'] ?? {}, forPackage: found[packageName] ?? {} }
}

function readYaml<T>(path: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(path)) return undefined
  const text = readFileSync(path, 'utf8')
  const hint = 'Write NAME: VALUE, a line each; docs/templates.md, Parameters.'
  if (text.length > MAX_CHARACTERS) {
    throw new VmpkgError('PARAMETER_INVALID', `${path} is larger than ${MAX_CHARACTERS} characters`, { hint })
  }
  let document: unknown
  try {
    document = parse(text, { uniqueKeys: true, strict: true, maxAliasCount: 0, logLevel: 'error' })
  } catch (cause) {
    const [first = ''] = cause instanceof Error ? cause.message.split('\n') : []
    throw new VmpkgError('PARAMETER_INVALID', `${path} is no YAML: ${first.slice(0, 200)}`, { hint, cause })
  }
  return parseShape(schema, document ?? {}, { code: 'PARAMETER_INVALID', subject: path, hint })
}
