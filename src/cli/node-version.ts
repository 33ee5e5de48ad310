/** The guard before anything that needs a recent Node is imported. */

const MINIMUM = [24, 12] as const

/** True when this Node runs vmpkg; else says what to do, because every later import would fail less clearly. */
export function supportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return true
  process.stderr.write(`E: vmpkg needs Node.js ${MINIMUM.join('.')} or later, this is ${version} [HOST_UNSUPPORTED]\n`)
  process.stderr.write('   Run it through npm (the project brings its own node), or install a newer Node.js.\n')
  return false
}
