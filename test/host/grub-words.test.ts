import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  addWords,
  appendingAssignment,
  findFalseAssignments,
  findWords,
  withdrawWords,
} from '../../src/host/grub-words.ts'
import { insertBlock } from '../../src/host/managed-block.ts'
import { DEBIAN_GRUB } from '../support/debian-host.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const KEY = 'GRUB_CMDLINE_LINUX_DEFAULT'
const WORDS = ['intel_iommu=on', 'iommu=pt', 'vfio-pci.ids=8086:10d3,1969:e091']

describe('addWords', () => {
  test('gives sh the words it had and ours, for every way to write the value', async (t) => {
    const folder = await makeTempFolder(t)
    const evaluate = async (text: string): Promise<readonly string[]> => {
      await writeFile(join(folder, 'grub'), text)
      const { stdout, exitCode } = await realProcesses.run('sh', ['-c', `. ./grub; printf %s "$${KEY}"`], {
        cwd: folder,
      })
      assert.equal(exitCode, 0, text)
      return stdout.split(/\s+/).filter(Boolean)
    }
    const lines = [
      'KEY="quiet"',
      "KEY='quiet splash'",
      'KEY=quiet',
      'KEY=',
      'KEY=""',
      'KEY="  "',
      'KEY="quiet" # comment with "quotes"',
      'KEY="a \\"b\\" c"',
      'KEY="quiet $OTHER"',
      'KEY="quiet $(echo x y)"',
      'KEY="one\ntwo"',
      'export KEY="quiet"',
      'KEY="first"\nKEY="second"',
      'KEY="first"\nKEY="$KEY second"',
      'KEY=a"b"c',
      'KEY=`echo quiet`',
      'if true; then\n  KEY="inside"\nfi',
      'KEY="quiet"; OTHER=1',
      '#KEY="commented"',
      '',
    ]
    let inPlace = 0
    for (const line of lines) {
      const text = DEBIAN_GRUB.replace(`${KEY}="quiet"`, line.replaceAll('KEY', KEY))
      const before = await evaluate(text)
      const added = addWords(text, KEY, WORDS)
      const after = added ?? insertBlock(text, [appendingAssignment(KEY, WORDS)])
      assert.deepEqual(await evaluate(after), [...before, ...WORDS], line)
      if (added === undefined) continue
      inPlace++
      const withdrawal = withdrawWords(added, KEY, WORDS)
      assert.ok(withdrawal.state === 'taken')
      assert.deepEqual(await evaluate(withdrawal.text), before, line)
      // Nothing but the value has changed.
      const [head = ''] = text.split(KEY)
      assert.ok(added.startsWith(head))
      assert.equal(added.split('\n').length, text.split('\n').length)
    }
    assert.equal(inPlace, 14)
  })

  test('is undone to the byte where the words were there in quotes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('quiet', 'splash', 'a=b', 'nomodeset'), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('"', "'"),
        (words, quote) => {
          const text = `A=1\n${KEY}=${quote}${words.join(' ')}${quote}\nB=2\n`
          const added = addWords(text, KEY, WORDS) ?? assert.fail()
          assert.deepEqual(withdrawWords(added, KEY, WORDS), { state: 'taken', text })
          assert.deepEqual(findWords(added, KEY), [...words, ...WORDS])
        },
      ),
    )
  })

  test('keeps what a user wrote between our words', () => {
    const text = `${KEY}="quiet intel_iommu=on nomodeset iommu=pt loglevel=3"\n`
    assert.deepEqual(withdrawWords(text, KEY, ['intel_iommu=on', 'iommu=pt']), {
      state: 'taken',
      text: `${KEY}="quiet nomodeset loglevel=3"\n`,
    })
  })

  test('tells words that were changed from words that are gone', () => {
    assert.equal(
      withdrawWords(`${KEY}="intel_iommu=off iommu=pt"\n`, KEY, ['intel_iommu=on', 'iommu=pt']).state,
      'changed',
    )
    assert.equal(withdrawWords(`${KEY}="quiet"\n`, KEY, ['intel_iommu=on']).state, 'gone')
    assert.equal(withdrawWords('', KEY, ['intel_iommu=on']).state, 'gone')
  })

  test('takes no word that a shell would read', () => {
    for (const word of ['a b', '$(reboot)', '"', "x'y", 'a;b', ''])
      assert.throws(() => addWords('', KEY, [word]), TypeError)
  })
})

test('findFalseAssignments names lines with blanks around the sign', () => {
  assert.deepEqual(findFalseAssignments(`${KEY}="a"\n${KEY} = "b"\n${KEY}= "c"\n# ${KEY} = "d"\n`, KEY), [2, 3])
})
