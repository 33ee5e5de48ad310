import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeCertificate } from '../../src/operations/certificate.ts'
import type { Processes, RunOptions } from '../../src/ports.ts'

const { signal } = new AbortController()
const HOUR = 3_600_000

describe('a certificate', () => {
  test('is signed by its own key, is for one use and no authority, and lasts for twenty years', async () => {
    for (const usage of ['server', 'client'] as const) {
      const { certificate, privateKey } = await makeCertificate({ name: 'anna-2', usage }, systemProcesses, signal)
      const read = new X509Certificate(Buffer.from(certificate, 'base64'))
      const key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' })
      assert.ok(read.checkPrivateKey(key) && read.verify(read.publicKey))
      assert.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1')
      assert.equal(read.ca, false)
      assert.equal(read.subject, 'CN=anna-2')
      // RFC 5280: id-kp-serverAuth, id-kp-clientAuth.
      assert.deepEqual(read.keyUsage, [`1.3.6.1.5.5.7.3.${usage === 'server' ? 1 : 2}`])
      const days = (Date.parse(read.validTo) - Date.now()) / HOUR / 24
      assert.ok(days > 7299 && days < 7301, String(days))
    }
  })

  test('leaves nothing of the key on a command line, and no two are alike', async () => {
    const seen: { readonly argv: readonly string[]; readonly options: RunOptions | undefined }[] = []
    const processes: Processes = {
      async run(program, argv, options) {
        seen.push({ argv: [program, ...argv], options })
        return systemProcesses.run(program, argv, options)
      },
    }
    const one = await makeCertificate({ name: 'a', usage: 'client' }, processes, signal)
    const two = await makeCertificate({ name: 'a', usage: 'client' }, processes, signal)
    assert.notEqual(one.privateKey, two.privateKey)
    assert.equal(seen.length, 2)
    for (const { argv, options } of seen) {
      const told = JSON.stringify([argv, options?.input, options?.env])
      assert.ok(!argv.includes('a') && !told.includes(one.privateKey.slice(40, 80)))
      assert.ok(!argv.some((word) => word.startsWith('/')), 'no file is named')
    }
  })

  test('that openssl does not make is refused with its reason', async () => {
    const made = await makeCertificate({ name: 'a', usage: 'client' }, systemProcesses, signal)
    const answer = async (exitCode: number, stdout: string, stderr: string): Promise<unknown> =>
      makeCertificate({ name: 'a', usage: 'client' }, { run: async () => ({ exitCode, stdout, stderr }) }, signal)
    await assert.rejects(answer(1, '', 'req: Unknown option: -x\n'), {
      code: 'HOST_UNSUPPORTED',
      message: /Unknown option/,
    })
    await assert.rejects(answer(0, '', ''), { code: 'HOST_UNSUPPORTED' })
    const pem = (label: string, text: string): string => `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`
    const other = await makeCertificate({ name: 'a', usage: 'client' }, systemProcesses, signal)
    const mixed = pem('PRIVATE KEY', other.privateKey) + pem('CERTIFICATE', made.certificate)
    await assert.rejects(answer(0, mixed, ''), { code: 'HOST_UNSUPPORTED', message: /another one/ })
  })
})
