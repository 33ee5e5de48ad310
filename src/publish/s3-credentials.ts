/**
 * The key to a bucket from where every S3 tool looks: the AWS variables, then the profile in ~/.aws/credentials. It goes
 * into signatures only, never into state, messages or JSON. Source: AWS SDKs and Tools Reference Guide, "Shared config
 * and credentials files". Test oracle: a real server that accepts the signature.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** @throws {VmpkgError} `NO_RIGHTS` when there is no key */
export async function findS3Credentials(env: Environment, home: string): Promise<S3Credentials> {
  const found = pick(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN'])
  if (found !== undefined) return found
  const profile = env['AWS_PROFILE'] ?? 'default'
  const file = env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, '.aws', 'credentials')
  const values = readProfile(await readFile(file, 'utf8').catch(() => ''), profile)
  const stored = pick(
    values.get('aws_access_key_id'),
    values.get('aws_secret_access_key'),
    values.get('aws_session_token'),
  )
  if (stored !== undefined) return stored
  throw new VmpkgError('NO_RIGHTS', 'There is no key to the bucket', {
    hint: `Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile ${JSON.stringify(profile.slice(0, 40))} into ${file}.`,
  })
}

export function findRegion(env: Environment): string | undefined {
  return env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION']
}

export function findEndpoint(env: Environment): string | undefined {
  return env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']
}

function pick(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
): S3Credentials | undefined {
  if (accessKeyId === undefined || accessKeyId === '') return undefined
  if (secretAccessKey === undefined || secretAccessKey === '') return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && sessionToken !== '' && { sessionToken }) }
}

function readProfile(text: string, profile: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  let isWanted = false
  for (const line of text.split('\n')) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1]
    if (section !== undefined) isWanted = section === profile
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/i.exec(line) ?? []
    if (isWanted && name !== undefined && value !== undefined) values.set(name.toLowerCase(), value)
  }
  return values
}
