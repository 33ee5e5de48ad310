/** Lines of /proc/locks (proc_locks(5)). */
import { stat } from 'node:fs/promises'

/** @param bytes first and last, as in `201 201` @param more behind the file's number, which makes it another one's */
export async function lockLine(path: string, bytes = '201 201', { kind = 'OFDLCK', more = '' } = {}): Promise<string> {
  const { dev, ino } = await stat(path)
  const hex = (value: number): string => value.toString(16).padStart(2, '0')
  const place = `${hex((dev >> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >> 12) & 0xfff00))}:${ino}`
  return `1: ${kind} ADVISORY  READ -1 ${place}${more} ${bytes}\n`
}
