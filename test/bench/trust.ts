/**
 * The whole trust check of an envelope, warm inside the process: root file with its threshold, certificates, envelope,
 * expiry, marks. Held against one run of `gpgv` over one of these three signatures, which is what a script would do.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSignedFile } from '../../src/model/registry-schema.ts'
import { preAuthEncoding } from '../../src/trust/pae.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { formatMs, formatRows, interleave, median, type Report, runProgram } from './measure.ts'

const ROUNDS = 51
const GOAL_MS = 40

export async function measureTrust(): Promise<Report> {
  const clock = fixedClock(new Date())
  await using registry = await buildRegistry({ clock, packages: [{ name: 'app-one' }] })
  const { folder, pin, timestamp } = registry
  const now = clock.now()
  const rootFile = await readFile(join(folder, 'root/1.json'))
  const file = await readFile(join(folder, 'envelope.json'))
  const { marks } = await refresh({ ...registry, now })
  const check = async (): Promise<void> => {
    const session = await TrustSession.open({ pin, marks, policy: { kind: 'strict' }, now }, rootFile)
    await session.acceptEnvelope(file)
  }
  const { payload, signatures } = parseSignedFile(file, 'ENVELOPE_INVALID', 'The envelope', file.length)
  const [ring, signature, signed] = ['ring', 'signature', 'signed'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(ring, timestamp.certificate.bytes)
  await writeFile(signature, signatures[0]?.signature ?? '')
  await writeFile(signed, preAuthEncoding('envelope', payload))
  const gpgv = () => void runProgram('gpgv', ['--homedir', folder, '--keyring', ring, signature, signed])
  const cold = performance.now()
  await check()
  const firstMs = performance.now() - cold
  const { vmpkg, peer } = await interleave(ROUNDS, { vmpkg: check, peer: gpgv })
  const verdict = median(vmpkg) <= GOAL_MS ? 'met' : 'missed'
  return {
    title: 'Trust: an envelope, from bytes to accepted',
    about:
      `A root file signed 2 of 3 and an envelope, Ed25519, with marks of an earlier visit, ${ROUNDS} rounds in one process; ` +
      `the first check took ${formatMs(firstMs)}. The goal of ${GOAL_MS} ms is ${verdict}. ` +
      '`gpgv` checks one of the three signatures, in a process of its own.',
    table: formatRows([
      { what: 'root file and envelope', milliseconds: vmpkg, peer: { name: 'one run of `gpgv`', milliseconds: peer } },
    ]),
  }
}
