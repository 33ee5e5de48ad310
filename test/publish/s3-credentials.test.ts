import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findEndpoint, findRegion, findS3Credentials } from '../../src/publish/s3-credentials.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FILE = `# comment
[default]
aws_access_key_id = A
aws_secret_access_key=B
[other]
aws_access_key_id = C
aws_secret_access_key = D
aws_session_token = E
[half]
aws_access_key_id = F
`

describe('findS3Credentials', () => {
  test('takes the variables first, then the profile', async (t) => {
    const home = await makeTempFolder(t)
    await mkdir(join(home, '.aws'))
    await writeFile(join(home, '.aws', 'credentials'), FILE)
    const env = { AWS_ACCESS_KEY_ID: 'X', AWS_SECRET_ACCESS_KEY: 'Y' }
    assert.deepEqual(await findS3Credentials(env, home), { accessKeyId: 'X', secretAccessKey: 'Y' })
    assert.deepEqual(await findS3Credentials({}, home), { accessKeyId: 'A', secretAccessKey: 'B' })
    assert.deepEqual(await findS3Credentials({ AWS_PROFILE: 'other' }, home), {
      accessKeyId: 'C',
      secretAccessKey: 'D',
      sessionToken: 'E',
    })
    await assert.rejects(findS3Credentials({ AWS_PROFILE: 'half' }, home), { code: 'NO_RIGHTS' })
    await assert.rejects(findS3Credentials({}, join(home, 'nobody')), { code: 'NO_RIGHTS' })
  })

  test('knows region and endpoint by their variables', () => {
    assert.equal(findRegion({ AWS_DEFAULT_REGION: 'a' }), 'a')
    assert.equal(findRegion({ AWS_REGION: 'b', AWS_DEFAULT_REGION: 'a' }), 'b')
    assert.equal(findEndpoint({ AWS_ENDPOINT_URL: 'x', AWS_ENDPOINT_URL_S3: 'y' }), 'y')
  })
})
