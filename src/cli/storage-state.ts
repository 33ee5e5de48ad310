/** The state of a storage in a few words. */
import type { StorageReport } from '../operations/storage.ts'

export function formatStorageState({ isDefault, isEncrypted, isUnlocked, usage, problem }: StorageReport): string {
  const words = [
    isDefault ? 'default' : '',
    isEncrypted ? (isUnlocked === undefined ? 'encrypted' : isUnlocked ? 'unlocked' : 'locked') : '',
    usage?.dataPercent === undefined ? '' : `${usage.dataPercent} % full`,
    problem ?? '',
  ]
  return words.filter((word) => word !== '').join(', ')
}
