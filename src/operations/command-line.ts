/**
 * A command line as the lock, the journal and the history keep it. Which parameter is secret is known only once its
 * package is read, and others may read who holds the lock: what `--set` gives is left out, its name stays.
 */
export function describeCommandLine(words: readonly string[]): string {
  const shown = words.map((word, index) => {
    const isValue = words[index - 1] === '--set' || word.startsWith('--set=')
    return isValue ? hideValue(word) : word
  })
  return ['vmpkg', ...shown].join(' ')
}

/** `name=…` and `--set=name=…`. */
function hideValue(word: string): string {
  const start = word.startsWith('--set=') ? '--set='.length : 0
  const end = word.indexOf('=', start)
  return end === -1 ? `${word.slice(0, start)}…` : `${word.slice(0, end)}=…`
}
