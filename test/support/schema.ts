/** Oracle: libvirt's own RELAX NG schemas, through virt-xml-validate. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What virt-xml-validate says against the XML; undefined where it is valid. */
export function findSchemaFault(xml: string, schema: 'domain' | 'network'): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-schema-'))
  try {
    const file = join(folder, 'rendered.xml')
    writeFileSync(file, xml)
    const { status, stdout, stderr } = spawnSync('virt-xml-validate', [file, schema], { encoding: 'utf8' })
    return status === 0 ? undefined : `${stdout}${stderr}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
