/**
 * The body of a verifying thread: reads the certificates of the root that it is given, then checks lines with the same
 * code as everybody else. It decides nothing: what it refuses is refused by the main thread in the same words.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { isVmpkgError } from '../errors.ts'
import { type LineVerifier, localVerifier } from '../trust/index-lines.ts'
import { trustRootOfThread } from '../trust/root-chain.ts'
import type { VerifyAnswer, VerifyJob, VerifySetup } from './verify-job.ts'

const { root, keysAt } = workerData as VerifySetup
const verifier: Promise<LineVerifier> = trustRootOfThread(root).then((trusted) => localVerifier(trusted, keysAt))

parentPort?.on('message', (job: VerifyJob) => {
  void answer(job).then((message) => parentPort?.postMessage(message, []))
})

async function answer(job: VerifyJob): Promise<VerifyAnswer> {
  try {
    return { kind: 'verified', entries: await (await verifier)(job) }
  } catch (error) {
    if (!isVmpkgError(error)) throw error
    const { code, message, hint, details } = error
    return { kind: 'refused', code, message, hint, details }
  }
}
