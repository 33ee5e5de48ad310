/** `npm run fuzz -- --minutes 10 [--target NAME] [--seed NUMBER]`: every parser of untrusted input in turn, in rounds. */
import { parseArgs } from 'node:util'
import { CoverageMeter } from './coverage.ts'
import { fuzzTarget, type Outcome } from './fuzzer.ts'
import { makeTargets } from './targets.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})
const minutes = Number(values.minutes)
const started = Date.now()
const end = started + minutes * 60_000
const targets = (await makeTargets()).filter(({ name }) => values.target === undefined || name === values.target)
const ROUND_MS = Math.max(2000, (minutes * 60_000) / Math.max(1, targets.length))
const meter = new CoverageMeter()
const totals = new Map<string, Outcome>()
console.log(`seed ${values.seed}, ${targets.length} targets, ${minutes} min`)
let seed = Number(values.seed)
let peakBytes = 0
outer: for (;;) {
  for (const target of targets) {
    if (Date.now() >= end) break outer
    const outcome = await fuzzTarget(target, { meter, seed: seed++, until: Math.min(end, Date.now() + ROUND_MS) })
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss)
    const before = totals.get(target.name)
    totals.set(target.name, {
      ...outcome,
      runs: outcome.runs + (before?.runs ?? 0),
      accepted: outcome.accepted + (before?.accepted ?? 0),
      findings: [...(before?.findings ?? []), ...outcome.findings],
      slowestMs: Math.max(outcome.slowestMs, before?.slowestMs ?? 0),
    })
  }
}
meter.close()
const outcomes = [...totals.values()]
for (const { target, runs, accepted, corpus, slowestMs, findings } of outcomes) {
  console.log([target, runs, accepted, corpus, Math.round(slowestMs), findings.length].join('\t'))
}
const findings = outcomes.flatMap((one) => one.findings)
for (const { target, problem, input } of findings) {
  console.log(
    `\nFINDING in ${target}: ${problem.slice(0, 1500)}\n${Buffer.from(input).toString('base64').slice(0, 20_000)}`,
  )
}
const runs = outcomes.reduce((sum, one) => sum + one.runs, 0)
const seconds = Math.round((Date.now() - started) / 1000)
console.log(
  `\n${runs} inputs in ${seconds} s, ${meter.size} blocks, peak ${Math.round(peakBytes / 2 ** 20)} MiB, ${findings.length} findings`,
)
process.exitCode = findings.length > 0 ? 1 : 0
