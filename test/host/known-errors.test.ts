import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { explainText, findKnownError, KNOWN_ERRORS } from '../../src/host/known-errors.ts'
import { debianSource } from '../support/debian-source.ts'
import { KNOWN_MESSAGES, UNRELATED_MESSAGES } from '../support/known-error-messages.ts'
import { readMessageIds } from '../support/message-catalogue.ts'

const rows = Object.entries(KNOWN_MESSAGES).flatMap(([number, messages]) =>
  messages.map((message) => ({ id: `KNOWN-ERR-${number}`, message })),
)
const DOC = join(import.meta.dirname, '..', '..', 'docs', 'known-errors.md')

test('ids are unique and without gaps, and each has messages that the tests know it by', () => {
  const numbers = KNOWN_ERRORS.map(({ id }) => Number(id.slice(10))).toSorted((a, b) => a - b)
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, index) => index + 1),
  )
  assert.deepEqual(
    KNOWN_ERRORS.map(({ id }) => id).filter((id) => !rows.some((row) => row.id === id)),
    [],
  )
})

test('every message is recognised as its row', () => {
  assert.deepEqual(
    rows
      .filter(({ id, message }) => findKnownError(message)?.id !== id)
      .map(({ id, message }) => [id, message, findKnownError(message)?.id]),
    [],
  )
})

const PREFIXES = [
  '',
  'error: ',
  'Fehler: ',
  'erreur : ',
  'エラー: ',
  "error: Failed to start domain 'web'\nerror: ",
  'libvirt: QEMU Driver error : ',
  'E: libvirt refused: ',
  'Nov 25 22:07:03 host7 libvirtd[812]: ',
  'Nov 25 22:07:03 host7 libvirtd[812]: 2026-11-25 22:07:03.123+0000: 815: error : qemuProcessReportLogError:2056 : internal error: qemu unexpectedly closed the monitor: 2026-11-25T22:07:03.120Z qemu-system-x86_64: ',
  '2026-11-25T22:07:03.120543Z qemu-system-x86_64: ',
  'internal error: process exited while connecting to monitor: 2026-11-25T22:07:03.120543Z qemu-kvm: ',
  '[   12.345678] ',
  '[Wed Nov 25 22:07:03 2026] ',
  '<4>[  912.000001] ',
  '\u001B[31mERROR\u001B[0m    ',
  'libvirt.libvirtError: ',
]
const SUFFIXES = [
  '',
  '.',
  ' (os error 13)',
  '\r',
  '\nDomain installation does not appear to have been successful.',
  '\u001B[0m',
]

/** Other numbers where a message has some that differ by machine: PCI addresses, groups, processes, sizes. */
function vary(message: string, digit: () => number): string {
  return message
    .replaceAll(
      /\b[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b/g,
      () => `000${digit()}:${digit()}${digit()}:1${digit()}.${digit() % 8}`,
    )
    .replaceAll(/(group |process |vfio\/|device:|pid=)\d+/gi, (_, word: string) => `${word}${digit() + 1}${digit()}`)
    .replaceAll(/\b(?:1342177280|9663676416|65536|5900)\b/g, () => `${digit() + 1}${digit()}${digit()}${digit()}`)
}

test('every message is recognised with other numbers, behind every prefix and before every suffix', () => {
  const digit = fc.integer({ min: 0, max: 9 })
  const property = fc.property(
    fc.constantFrom(...rows),
    fc.constantFrom(...PREFIXES),
    fc.constantFrom(...SUFFIXES),
    fc.infiniteStream(digit),
    ({ id, message }, prefix, suffix, digits) => {
      const text = `${prefix}${vary(message, () => digits.next().value ?? 0)}${suffix}`
      assert.equal(findKnownError(text)?.id, id, text)
    },
  )
  fc.assert(property, { numRuns: 5_000 })
})

test('every message is recognised with the words of the C library in German, French, Spanish and Russian', () => {
  const words: readonly (readonly string[])[] = [
    ['Permission denied', 'Keine Berechtigung', 'Permission non accordée', 'Permiso denegado', 'Отказано в доступе'],
    [
      'Operation not permitted',
      'Die Operation ist nicht erlaubt',
      'Opération non permise',
      'Operación no permitida',
      'Операция не позволена',
    ],
    [
      'No such file or directory',
      'Datei oder Verzeichnis nicht gefunden',
      'Aucun fichier ou dossier de ce type',
      'No existe el fichero o el directorio',
      'Нет такого файла или каталога',
    ],
    [
      'Address already in use',
      'Die Adresse wird bereits verwendet',
      'Adresse déjà utilisée',
      'La dirección ya se está usando',
      'Адрес уже используется',
    ],
  ]
  let varied = 0
  for (const { id, message } of rows)
    for (const [english = '', ...others] of words)
      for (const other of others.filter(() => message.includes(english))) {
        varied++
        assert.equal(findKnownError(message.replace(english, other))?.id, id, other)
      }
  assert.ok(varied > 80)
})

describe('what is not known stays unknown', () => {
  test('messages that resemble known ones', () => {
    assert.deepEqual(
      UNRELATED_MESSAGES.filter((message) => findKnownError(message) !== undefined),
      [],
    )
  })

  // Of programs that say nothing of virtual machines; others (virt-manager's) rightly say what libvirt says.
  const names =
    'apt bash binutils coreutils cpio diffutils dpkg e2fsprogs findutils gnupg2 grep gzip libc sed shadow sudo sysstat tar util-linux xz'
  const catalogues = names.split(' ').flatMap((name) => globSync(`/usr/share/locale/de/LC_MESSAGES/${name}.mo`))
  test('the messages of programs of this machine that have a catalogue', { skip: catalogues.length === 0 }, () => {
    let count = 0
    const matches: string[] = []
    for (const path of catalogues)
      for (const message of readMessageIds(readFileSync(path))) {
        count++
        for (const { error, line } of explainText(message)) matches.push(`${error.id} ${line}`)
      }
    assert.ok(count > 100)
    // The C library's and dnsmasq's very words are what these two rules are about.
    assert.deepEqual(
      matches.toSorted(),
      REVIEWED.filter((one) => matches.includes(one)),
    )
  })

  test('libvirt’s documentation and the QEMU command lines of its tests', async () => {
    const tree = await debianSource('libvirt', { suite: 'bookworm', only: ['tests', 'src/conf/schemas', 'docs/*.rst'] })
    const files = [...globSync(join(tree, 'docs/*.rst')), ...globSync(join(tree, 'tests/**/*.args'))]
    assert.ok(files.length > 1_000)
    const matches = files.flatMap((path) =>
      explainText(readFileSync(path, 'utf8')).map(({ error, line }) => `${error.id} ${line}`),
    )
    assert.deepEqual(matches, [])
  })
})

const REVIEWED = ['KNOWN-ERR-41 No space left on device', 'KNOWN-ERR-49 failed to bind DHCP server socket: %s']

const QEMU_DRIVER = '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so'

test('among all texts in libvirt’s and QEMU’s own programs only those match that say what the rule says', {
  skip: !existsSync(QEMU_DRIVER),
}, () => {
  const matches = [QEMU_DRIVER, '/usr/lib/x86_64-linux-gnu/libvirt.so.0', '/usr/bin/qemu-system-x86_64'].flatMap(
    (path) =>
      [...readFileSync(path, 'latin1').matchAll(/[\x20-\x7e]{8,}/g)].flatMap(([text]) =>
        explainText(text).map(({ error, line }) => ({ id: error.id, line })),
      ),
  )
  assert.ok(matches.length > 40)
  // The text of a reviewed message, with its placeholders, resembles a message of its row word for word.
  const words = (text: string): Set<string> => new Set(text.toLowerCase().match(/[a-z]{3,}/g))
  const strange = matches.filter(({ id, line }) => {
    const messages = rows.filter((row) => row.id === id).map(({ message }) => words(message))
    const own = [...words(line)]
    return !messages.some((known) => own.filter((word) => known.has(word)).length >= Math.min(3, own.length))
  })
  assert.deepEqual(strange, [])
})

test('a log with several errors tells each once, with its line and how often', () => {
  const found = explainText(
    'fine\nFailed to get "write" lock\nalso fine\ngroup 3 is not viable\ngroup 4 is not viable\n',
  )
  assert.deepEqual(
    found.map(({ error, lineNumber, count }) => [error.id, lineNumber, count]),
    [
      ['KNOWN-ERR-36', 2, 1],
      ['KNOWN-ERR-5', 4, 2],
    ],
  )
})

/** The page is made from the table: `UPDATE_GOLDEN=1 node --test test/host/known-errors.test.ts`. */
test('docs/known-errors.md has a section for each', () => {
  const sections = KNOWN_ERRORS.toSorted((a, b) => Number(a.id.slice(10)) - Number(b.id.slice(10))).map(
    ({ id, title, cause, fix }) =>
      `## ${id}\n\n${title.charAt(0).toUpperCase()}${title.slice(1)}.\n\n\`\`\`\n${KNOWN_MESSAGES[Number(id.slice(10))]?.[0]}\n\`\`\`\n\n${cause}\n\n${fix}\n`,
  )
  const head = `# Known errors

What libvirt, QEMU, the kernel and their tools print, what it means, and what to do. \`vmpkg doctor explain FILE\` (or \`-\`) finds these
in a log; where libvirt refuses something to vmpkg itself, the fix is the hint of its error message. A text that fits no row is
unknown, and vmpkg says so. This page is made from \`src/host/known-errors-*.ts\`.

`
  const expected = `${head}${sections.join('\n')}`
  if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(DOC, expected)
  assert.equal(readFileSync(DOC, 'utf8'), expected)
})
