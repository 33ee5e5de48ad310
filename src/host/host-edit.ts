/** One change of one file of the host, as it is planned, remembered and taken back. Pure. */
import { z } from 'zod'
import { addWords, appendingAssignment, findWords, withdrawWords } from './grub-words.ts'
import { insertBlock, type Withdrawal, withdrawBlock } from './managed-block.ts'

export const hostEditSchema = z.discriminatedUnion('kind', [
  /** Lines between markers. */
  z.strictObject({ kind: z.literal('block'), path: z.string(), lines: z.array(z.string()) }),
  /** Words inside the quotes of a shell assignment. */
  z.strictObject({ kind: z.literal('words'), path: z.string(), key: z.string(), words: z.array(z.string()) }),
  /** A symbolic link of ours, as systemctl enable makes them. */
  z.strictObject({ kind: z.literal('link'), path: z.string(), to: z.string() }),
])

/** `path` is relative to the root of the file tree: `etc/modprobe.d/vmpkg.conf`. */
export type HostEdit = Readonly<z.infer<typeof hostEditSchema>>

/**
 * The file with the edit made, and the edit as it was really made: words that are there already are not ours, and where
 * words cannot be added in place a block is.
 * @param base the file without any edit of ours; undefined where there is none
 * @returns undefined where nothing is to be done
 */
export function makeEdit(
  base: string | undefined,
  edit: HostEdit,
): { readonly text: string; readonly edit: HostEdit } | undefined {
  switch (edit.kind) {
    case 'block':
      return edit.lines.length === 0 ? undefined : { text: insertBlock(base, edit.lines), edit }
    case 'link':
      return { text: edit.to, edit }
    case 'words': {
      const { path, key } = edit
      const present = findWords(base ?? '', key)
      const words = edit.words.filter((word) => !present.includes(word))
      if (words.length === 0) return undefined
      const text = addWords(base ?? '', key, words)
      if (text !== undefined) return { text, edit: { kind: 'words', path, key, words } }
      const lines = [appendingAssignment(key, words)]
      return { text: insertBlock(base, lines), edit: { kind: 'block', path, lines } }
    }
  }
}

/** Takes the edit out of what the file has become. @param base what it was before the edit */
export function withdrawEdit(text: string, edit: HostEdit, base: string | undefined): Withdrawal {
  switch (edit.kind) {
    case 'block':
      return withdrawBlock(text, edit.lines, base)
    case 'words':
      return withdrawWords(text, edit.key, edit.words)
    case 'link':
      return text === edit.to ? { state: 'taken', text: '' } : { state: 'changed' }
  }
}
