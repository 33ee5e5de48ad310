/**
 * What `vgs` and `lvs` report as JSON. Pure.
 *
 * Source: lvmreport(7), lvs(8) for `lv_attr`. Sizes are bytes (`--units b --nosuffix`).
 */
export interface VolumeGroup {
  readonly name: string
  readonly size: number
  readonly free: number
  readonly extentSize: number
}

export interface LogicalVolume {
  readonly name: string
  readonly size: number
  /** Of a thin volume: the pool that it takes its blocks from. */
  readonly pool: string | undefined
  readonly isThinPool: boolean
  readonly isActive: boolean
  readonly tags: readonly string[]
  /** `/dev/vg0/name`; of what has no device, as a pool, undefined. */
  readonly path: string | undefined
  /** Of thin pools (and, of data, thin volumes): how full, in percent; undefined where it is not active. */
  readonly dataPercent: number | undefined
  readonly metadataPercent: number | undefined
}

export const VG_FIELDS = 'vg_name,vg_size,vg_free,vg_extent_size'
export const LV_FIELDS = 'lv_name,lv_size,pool_lv,data_percent,metadata_percent,lv_attr,lv_tags,lv_path'

/** @throws {SyntaxError} for what is not such a report */
export function parseVolumeGroups(text: string): readonly VolumeGroup[] {
  return rowsOf(text, 'vg').map((row) => ({
    name: word(row, 'vg_name'),
    size: number(row, 'vg_size'),
    free: number(row, 'vg_free'),
    extentSize: number(row, 'vg_extent_size'),
  }))
}

/** @throws {SyntaxError} for what is not such a report */
export function parseLogicalVolumes(text: string): readonly LogicalVolume[] {
  return rowsOf(text, 'lv').map((row) => {
    const attributes = word(row, 'lv_attr')
    const [pool, path, tags] = [word(row, 'pool_lv'), word(row, 'lv_path'), word(row, 'lv_tags')]
    return {
      name: word(row, 'lv_name'),
      size: number(row, 'lv_size'),
      pool: pool === '' ? undefined : pool,
      isThinPool: attributes.startsWith('t'),
      isActive: attributes[4] === 'a',
      tags: tags === '' ? [] : tags.split(','),
      path: path === '' ? undefined : path,
      dataPercent: percent(row, 'data_percent'),
      metadataPercent: percent(row, 'metadata_percent'),
    }
  })
}

type Row = Readonly<Record<string, unknown>>

/** Either may come in several reports, one for each command that `lvm` ran. */
function rowsOf(text: string, kind: 'vg' | 'lv'): readonly Row[] {
  const { report } = JSON.parse(text) as { readonly report?: unknown }
  if (!Array.isArray(report)) throw new SyntaxError('no report')
  return report.flatMap((part: unknown) => {
    const rows = (part as Record<string, unknown>)[kind]
    return Array.isArray(rows) ? (rows as Row[]) : []
  })
}

function word(row: Row, field: string): string {
  const value = row[field]
  if (typeof value !== 'string') throw new SyntaxError(`no ${field}`)
  return value
}

function number(row: Row, field: string): number {
  const value = Number(word(row, field))
  if (!Number.isSafeInteger(value) || value < 0) throw new SyntaxError(`${field} is no number of bytes`)
  return value
}

function percent(row: Row, field: string): number | undefined {
  const text = word(row, field)
  return text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)
}
