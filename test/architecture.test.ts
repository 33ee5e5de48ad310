/**
 * Holds the rules of docs/architecture.md against the code: layers, purity, cycles, mirrored test names, and the three
 * places that name error codes (the union, docs/errors.md, the tests).
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, test } from 'node:test'
import { ERROR_CODES } from '../src/errors.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = globSync('src/**/*.ts', { cwd: root }).toSorted()
const tests = globSync('test/**/*.ts', { cwd: root }).toSorted()

interface Import {
  readonly from: string
  readonly specifier: string
  readonly isType: boolean
}

const rows = new Map<string, number>()
const pure = new Set<string>()
for (const [, row, folders, pureFolders] of read('docs/architecture.md').matchAll(
  /^\| (\d+) \| ([a-z -]+?) \| ([a-z -]*?) ?\|$/gm,
)) {
  for (const folder of (folders ?? '').split(' ')) rows.set(folder, Number(row))
  for (const folder of (pureFolders ?? '').split(' ').filter(Boolean)) pure.add(folder)
}

const folderOf = (path: string): string => relative('src', path).split('/')[0]?.replace(/\.ts$/, '') ?? ''

function importsOf(path: string): Import[] {
  const text = read(path)
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'/gm)].map((match) => ({
    from: path,
    specifier: match[2] ?? '',
    isType: match[1] !== undefined,
  }))
  const dynamic = [...text.matchAll(/import\(\s*'([^']+)'\s*\)/g)].map((match) => ({
    from: path,
    specifier: match[1] ?? '',
    isType: false,
  }))
  return [...found, ...dynamic]
}

const resolve = ({ from, specifier }: Import): string => normalize(join(dirname(from), specifier))
const all = sources.flatMap(importsOf)
const local = all.filter(({ specifier }) => specifier.startsWith('.'))

describe('layers', () => {
  test('every folder of src has a row in docs/architecture.md', () => {
    assert.deepEqual(
      [...new Set(sources.map(folderOf))].filter((folder) => !rows.has(folder)),
      [],
    )
  })

  test('values come only from rows above, types also from the same row', () => {
    const wrong = local.filter((edge) => {
      const [from, to] = [folderOf(edge.from), folderOf(resolve(edge))]
      const [above, own] = [rows.get(to) ?? 99, rows.get(from) ?? 0]
      return from !== to && (edge.isType ? above > own : above >= own)
    })
    assert.deepEqual(
      wrong.map((edge) => `${edge.from} imports ${edge.specifier}`),
      [],
    )
  })

  test('libvirt imports nothing else of vmpkg', () => {
    const wrong = local.filter((edge) => folderOf(edge.from) === 'libvirt' && folderOf(resolve(edge)) !== 'libvirt')
    assert.deepEqual(
      wrong.map((edge) => `${edge.from} imports ${edge.specifier}`),
      [],
    )
  })

  test('pure folders import no file system, network, process or clock', () => {
    const worldly = /^node:(fs|net|http|https|child_process|os|process|timers|dns|tls|sqlite|worker_threads)/
    const wrong = all.filter((edge) => pure.has(folderOf(edge.from)) && !edge.isType && worldly.test(edge.specifier))
    assert.deepEqual(
      wrong.map((edge) => `${edge.from} imports ${edge.specifier}`),
      [],
    )
    const clocks = sources.filter((path) => pure.has(folderOf(path)) && /\bDate\.now\(|new Date\(\)/.test(read(path)))
    assert.deepEqual(clocks, [])
  })

  test('only the edge prints or reads the process', () => {
    const edge = new Set(['cli', 'node', 'bin'])
    const wrong = sources.filter(
      (path) =>
        !edge.has(folderOf(path)) &&
        /\bconsole\.(log|error|warn|info)\(|\bprocess\.(stdout|stderr|argv|exit\b)/.test(read(path)),
    )
    assert.deepEqual(wrong, [])
  })

  test('there are no import cycles, types included', () => {
    const graph = Map.groupBy(local, (edge) => edge.from)
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done') return
      if (state.get(path) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
        return
      }
      state.set(path, 'open')
      for (const edge of graph.get(path) ?? []) if (!edge.isType) visit(resolve(edge), [...trail, path])
      state.set(path, 'done')
    }
    for (const path of sources) visit(path, [])
    assert.deepEqual(cycles, [])
  })

  test('there are no default exports', () => {
    assert.deepEqual(
      sources.filter((path) => /^export default/m.test(read(path))),
      [],
    )
  })
})

describe('mirrored names', () => {
  const mirrored =
    /^test\/(?!integration|e2e|bench|support|fixtures|golden|soak|threats|leaks|faults|mutation|fuzz|architecture|advisories)/

  test('a test under a folder of src is named after a file there', () => {
    const known = new Set(sources.map((path) => path.replace(/^src\//, '').replace(/\.ts$/, '')))
    const orphans = tests
      .filter((path) => mirrored.test(path) && path.endsWith('.test.ts'))
      .filter((path) => !known.has(path.replace(/^test\//, '').replace(/\.test\.ts$/, '')))
    assert.deepEqual(orphans, [])
  })
})

describe('error codes', () => {
  const documented = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1] ?? '')

  test('docs/errors.md has one row per code, in the order of the union', () => {
    assert.deepEqual(documented, [...ERROR_CODES])
  })

  test('every code is raised somewhere in src', () => {
    const text = sources.filter((path) => path !== 'src/errors.ts').map(read)
    assert.deepEqual(
      ERROR_CODES.filter((code) => !text.some((source) => source.includes(`'${code}'`))),
      [],
    )
  })

  test('every code is expected by some test', () => {
    const text = tests.filter((path) => path !== 'test/architecture.test.ts').map(read)
    assert.deepEqual(
      ERROR_CODES.filter((code) => !text.some((source) => source.includes(code))),
      [],
    )
  })
})
