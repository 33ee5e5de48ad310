/**
 * Random parameters before the whole way from text to XML and guest files: merged, chosen, rendered. Whatever passes is
 * read by programs that are not ours (libxml2, a shell, jq), in batches: the XML must have the elements and attributes
 * that a harmless twin of the same kinds of values has, no other, and every value must come back as it was.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isVmpkgError } from '../../src/errors.ts'
import type { Parameter, ParameterValue } from '../../src/model/manifest.ts'
import { chooseForDomain, chooseForNetwork } from '../../src/render/chosen.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { mergeParameters } from '../../src/render/parameters.ts'
import { Random } from './random.ts'
import {
  consoleContext,
  osContext,
  readPartials,
  readTemplate,
  routerContext,
  uplinkContext,
} from './render-contexts.ts'

const HOSTILE = [
  `'`,
  `"`,
  `'/><hostdev mode='subsystem'/><x y='`,
  `"><qemu:commandline/>`,
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '</description></domain>',
  '&amp;',
  '&#0;',
  '&x;',
  '<?x y?>',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '{{images.disk}}',
  '{{{params.text}}}',
  '\n',
  '\r\n',
  '\t',
  '\u0000',
  '\u001b[2J',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u202e',
  '\ufeff',
  '\ufffe',
  '\uffff',
  '\ud800',
  '\udc00',
  '\u{1f600}',
  '\u{10ffff}',
  'e\u0301',
  '\u200b',
  '＜script＞',
  '‘’“”',
  '$(printf INJECTED)',
  '`printf INJECTED`',
  '${PATH}',
  '\\',
  "\\'",
  ';printf INJECTED;',
  '&&',
  '|',
  '>',
  '*',
  '~',
  '#',
  '!',
  ' ',
  '%s',
  '\\u0022',
  '"},{"a":"',
  '/../',
  '-rf',
  'a',
  'Z9',
  ',',
  '=',
] as const

/** One to six of them, now and then very long. */
function hostileText(random: Random): string {
  const pieces: string[] = Array.from({ length: 1 + random.below(6) }, () => random.pick(HOSTILE))
  if (random.chance(0.002)) pieces.push(random.pick(HOSTILE).repeat(1 + random.below(20_000)))
  return pieces.join('')
}

/** What a path may hold of it. */
function hostilePath(random: Random, root: string): string {
  return `${root}/${hostileText(random).replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029,]/g, '')}x`
}

interface Kind {
  readonly definition: Parameter
  /** A value and its harmless twin: a template cannot tell them apart but by the value itself. */
  readonly make: (random: Random) => readonly [value: string, twin: string]
}

const textKind = (definition: Parameter): Kind => ({
  definition,
  make: (random) => [random.chance(0.02) ? '' : hostileText(random), 'v'],
})
const pathKind = (type: 'folder' | 'disk' | 'iso' | 'block' | 'device', root: string): Kind => ({
  definition: { type, optional: true },
  make: (random) => [random.chance(0.1) ? hostileText(random) : hostilePath(random, root), `${root}/v`],
})
const port = (random: Random): number => 1 + random.below(65_535)
const address = (random: Random): string => Array.from({ length: 4 }, () => random.below(256)).join('.')

const KINDS: Readonly<Record<string, Kind>> = {
  text: textKind({ type: 'string', maxLength: 65_536, optional: true }),
  other: textKind({ type: 'string', maxLength: 65_536, optional: true }),
  vcpus: {
    definition: { type: 'integer', minimum: 1, maximum: 64, default: 1 },
    make: (random) => [random.chance(0.2) ? hostileText(random) : String(1 + random.below(64)), '1'],
  },
  memory: {
    definition: { type: 'size', minimum: '64MiB', maximum: '64GiB', default: '256MiB' },
    make: (random) => [random.chance(0.2) ? hostileText(random) : `${64 + random.below(4096)}MiB`, '256MiB'],
  },
  folder: pathKind('folder', '/srv'),
  disk: pathKind('disk', '/srv/disks'),
  iso: pathKind('iso', '/srv/iso'),
  block: pathKind('block', '/dev/vg'),
  evdev: {
    definition: { type: 'evdev', optional: true },
    make: (random) => [
      `/dev/input/by-id/${random.chance(0.3) ? hostileText(random) : `usb-${random.u32()}`}`,
      '/dev/input/by-id/v',
    ],
  },
  store: {
    definition: { type: 'network-disk', optional: true },
    make: (random) => [
      `nbd://host.example/${random.chance(0.3) ? hostileText(random) : `n${random.u32()}`}`,
      'nbd://host.example/v',
    ],
  },
  usb: {
    definition: { type: 'usb', optional: true },
    make: (random) => [
      random.chance(0.3) ? hostileText(random) : `${(random.u32() & 0xffff).toString(16).padStart(4, '0')}:0104`,
      '1d6b:0104',
    ],
  },
  card: {
    definition: { type: 'card', optional: true },
    make: (random) => [
      random.chance(0.3) ? `mcast:${hostileText(random)}` : `mcast:230.0.0.${random.below(256)}:${port(random)}`,
      'mcast:230.0.0.1:5558',
    ],
  },
}

const NETWORK_KINDS: Readonly<Record<string, Kind>> = {
  reservation: {
    definition: { type: 'reservation', optional: true },
    make: (random) => [
      `52:54:00:aa:bb:cc=${random.chance(0.3) ? hostileText(random) : address(random)}=n${random.below(1000)}`,
      '52:54:00:aa:bb:cc=192.0.2.1=n1',
    ],
  },
  record: {
    definition: { type: 'host-name', optional: true },
    make: (random) => [
      `${random.chance(0.3) ? hostileText(random) : `h${random.u32()}.example`}=${address(random)}`,
      'h.example=192.0.2.2',
    ],
  },
  text: textKind({ type: 'string', maxLength: 65_536, optional: true }),
}

/** Places where libvirt's schema takes any text, in content and in attributes. */
const DOMAIN_PIECES = {
  head: ['<description>{{params.text}}</description>', '<title>{{params.other}}</title>'],
  before: [
    "<sysinfo type='smbios'><system><entry name='serial'>{{params.text}}</entry></system></sysinfo>",
    "<sysinfo type='smbios'><oemStrings><entry>{{params.other}}</entry><entry>{{params.text}}</entry></oemStrings></sysinfo>",
  ],
  devices: [
    '{{> folders driver="9p"}}',
    '{{> disks}}',
    '{{> cdroms}}',
    '{{> evdevs}}',
    '{{> cards}}',
    '{{> hostdevs}}',
    '{{#each folders as |one|}}<filesystem type=\'mount\'><source dir="{{one.path}}"/><target dir="{{../params.text}}"/></filesystem>{{/each}}',
  ],
  after: [
    '<qemu:commandline><qemu:arg value=\'{{params.text}}\'/><qemu:arg value="{{params.other}}"/></qemu:commandline>',
  ],
} as const

interface Source {
  readonly name: string
  readonly template: string
}

function domainSources(): readonly Source[] {
  const made = Array.from({ length: 48 }, (_, number): Source => {
    const random = new Random(number + 1)
    const some = (pieces: readonly string[]): string => {
      const used = pieces.filter(() => random.chance(0.6))
      // A name that has no value is an error where it is written.
      return used.map((piece) => guard(piece)).join('\n')
    }
    return {
      name: `generated ${number + 1}`,
      template: `<domain type='{{host.virtType}}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  {{> identity}}
  ${some(DOMAIN_PIECES.head)}
  ${guard(random.pick(DOMAIN_PIECES.before))}
  {{> os-bios}}
  {{> clock}}
  {{> power}}
  <devices>
    <emulator>{{host.emulator}}</emulator>
    ${some(DOMAIN_PIECES.devices)}
  </devices>
  ${some(DOMAIN_PIECES.after)}
</domain>
`,
    }
  })
  const shipped = ['router-uni', 'app-console', 'os-debian'].map((name) => ({
    name,
    template: readTemplate(`${name}/domain.xml.hbs`),
  }))
  return [...made, ...shipped]
}

function guard(piece: string): string {
  const names = [...new Set([...piece.matchAll(/params\.(\w+)/g)].map(([, name]) => `params.${name}`))]
  return names.reduceRight((inner, name) => `{{#if ${name}}}${inner}{{/if}}`, piece)
}

const NETWORK_TEMPLATE = `<network>
  <name>{{network.name}}</name>
  <uuid>{{network.uuid}}</uuid>
  <forward mode='nat'/>
  <bridge name='{{network.bridge}}' stp='off' delay='0'/>
  <mac address='{{network.mac}}'/>
  <dns>{{#if params.text}}<txt name='fuzz' value='{{params.text}}'/>{{/if}}{{#each hostNames as |one|}}<host ip='{{one.address}}'><hostname>{{one.name}}</hostname></host>{{/each}}</dns>
  <ip address='{{network.address}}' netmask='{{network.netmask}}'>
    <dhcp>
      <range start='{{network.rangeFirst}}' end='{{network.rangeLast}}'/>
      {{#each reservations as |one|}}<host mac='{{one.mac}}' name='{{one.name}}' ip='{{one.address}}'/>{{/each}}
    </dhcp>
  </ip>
</network>
`

/** Guest files, each with what its reader must find: a shell, jq, or nothing but harmless characters. */
const GUEST_FILES = {
  'a.env.hbs': 'A={{params.text}}\n',
  'a.sh.hbs': 'set -- {{params.text}} b\n',
  'a.json.hbs': '{"a": ["{{params.text}}", "b"]}\n',
  'a.conf.hbs': 'a {{params.text}}\n',
} as const
type GuestFile = keyof typeof GUEST_FILES

interface Rendered {
  readonly number: number
  readonly kind: 'domain' | 'network'
  readonly source: string
  readonly xml: string
  /** What a harmless twin of its values renders. */
  readonly twin: string
  /** Texts and attribute values that stand somewhere. */
  readonly values: readonly string[]
}

interface GuestText {
  readonly number: number
  readonly file: GuestFile
  readonly output: string
  readonly value: string
}

export interface FuzzFigures {
  parameterSets: number
  refusedParameters: number
  refusedRenderings: number
  domains: number
  networks: number
  guestFiles: number
  schemaChecked: number
}

/** One batch is read by one run of each program. */
export class RenderFuzz {
  readonly figures: FuzzFigures = {
    parameterSets: 0,
    refusedParameters: 0,
    refusedRenderings: 0,
    domains: 0,
    networks: 0,
    guestFiles: 0,
    schemaChecked: 0,
  }
  readonly #partials = readPartials()
  readonly #sources = domainSources()
  readonly #twins = new Map<string, string>()
  #rendered: Rendered[] = []
  #guests: GuestText[] = []

  /** @param number decides all, with the seed */
  tryOne(seed: number, number: number): void {
    const random = new Random(Math.imul(seed, 0x9e37_79b1) ^ number)
    this.figures.parameterSets += 1
    const part = random.below(10)
    if (part === 0) this.#tryNetwork(random, number)
    else if (part <= 2) this.#tryGuest(random, number)
    else this.#tryDomain(random, number)
  }

  #tryDomain(random: Random, number: number): void {
    const source = random.pick(this.#sources)
    const isBare = random.chance(0.1)
    const values = this.#merge(random, KINDS)
    if (values === undefined) return
    // As if nobody had checked: the writers have to stand alone.
    const params = isBare ? { ...values.params, text: hostileText(random) } : values.params
    const twinParams = isBare ? { ...values.twins, text: 'v' } : values.twins
    const render = (given: Readonly<Record<string, ParameterValue>>): string =>
      renderDomain({
        template: source.template,
        partials: this.#partials,
        context: this.#domainContext(source.name, given),
        parameterNames: Object.keys(KINDS),
      })
    const xml = this.#attempt(() => render(params))
    if (xml === undefined) return
    const key = `${source.name} ${JSON.stringify(twinParams)}`
    const twin = this.#twins.get(key) ?? render(twinParams)
    if (this.#twins.size < 100_000) this.#twins.set(key, twin)
    const shown = (name: string): readonly string[] =>
      source.template.includes(`params.${name}`) && params[name] !== undefined && params[name] !== ''
        ? [String(params[name])]
        : []
    // With `{{#if}}` around: both must be there where one piece writes both.
    const isBoth =
      params['text'] !== undefined && params['text'] !== '' && params['other'] !== undefined && params['other'] !== ''
    const expected = isBoth ? [...shown('text'), ...shown('other')] : []
    this.figures.domains += 1
    this.#rendered.push({ number, kind: 'domain', source: source.name, xml, twin, values: expected })
  }

  #domainContext(name: string, params: Readonly<Record<string, ParameterValue>>) {
    const base = name === 'router-uni' ? routerContext : name === 'app-console' ? consoleContext : osContext
    const definitions = Object.fromEntries(Object.entries(KINDS).map(([key, { definition }]) => [key, definition]))
    const bytes = params['memory']
    return {
      ...base,
      domain: {
        ...base.domain,
        memoryKib: typeof bytes === 'number' ? bytes / 1024 : base.domain.memoryKib,
        vcpus: Number(params['vcpus'] ?? 1),
      },
      params,
      ...chooseForDomain({ definitions, values: params, uuid: base.domain.uuid }),
    }
  }

  #tryNetwork(random: Random, number: number): void {
    const values = this.#merge(random, NETWORK_KINDS)
    if (values === undefined) return
    const definitions = Object.fromEntries(
      Object.entries(NETWORK_KINDS).map(([key, { definition }]) => [key, definition]),
    )
    const render = (params: Readonly<Record<string, ParameterValue>>): string =>
      renderNetwork({
        template: NETWORK_TEMPLATE,
        partials: this.#partials,
        context: { ...uplinkContext, params, ...chooseForNetwork({ definitions, values: params }) },
        parameterNames: Object.keys(NETWORK_KINDS),
      })
    const xml = this.#attempt(() => render(values.params))
    if (xml === undefined) return
    const twin = render(values.twins)
    const shown = values.params['text']
    this.figures.networks += 1
    this.#rendered.push({
      number,
      kind: 'network',
      source: 'network',
      xml,
      twin,
      values: typeof shown === 'string' && shown !== '' ? [shown] : [],
    })
  }

  #tryGuest(random: Random, number: number): void {
    const file = random.pick(Object.keys(GUEST_FILES) as GuestFile[])
    const value = hostileText(random)
    const context = {
      identity: { hostname: 'fuzz', machineId: '0'.repeat(32), seed: '0'.repeat(64) },
      nics: [],
      params: { text: value },
    }
    const output = this.#attempt(() => renderGuestFile(file, GUEST_FILES[file], context, ['text']))
    if (output === undefined) return
    this.figures.guestFiles += 1
    this.#guests.push({ number, file, output, value })
  }

  #attempt(render: () => string): string | undefined {
    try {
      return render()
    } catch (error) {
      // Anything else is a fault of ours; so is XML that our own parser refuses.
      if (!isVmpkgError(error, 'RENDER_REFUSED', 'PARAMETER_INVALID')) throw error
      this.figures.refusedRenderings += 1
      return undefined
    }
  }

  /** Values as `--set` gives them, and their twins; undefined where one is refused. */
  #merge(
    random: Random,
    kinds: Readonly<Record<string, Kind>>,
  ):
    | {
        readonly params: Readonly<Record<string, ParameterValue>>
        readonly twins: Readonly<Record<string, ParameterValue>>
      }
    | undefined {
    const values: Record<string, string> = {}
    const twins: Record<string, string> = {}
    for (const [name, { make }] of Object.entries(kinds)) {
      if (random.chance(0.5)) continue
      const [value, twin] = make(random)
      values[name] = value
      twins[name] = value === '' ? '' : twin
    }
    const definitions = Object.fromEntries(Object.entries(kinds).map(([name, { definition }]) => [name, definition]))
    const merge = (written: Readonly<Record<string, string>>): Readonly<Record<string, ParameterValue>> =>
      Object.fromEntries(
        Object.entries(mergeParameters(definitions, [{ origin: 'command line', values: written }])).map(
          ([name, { value }]) => [name, value],
        ),
      )
    // What is refused is left out: the rest goes on.
    for (const name of Object.keys(values)) {
      try {
        const definition = definitions[name]
        if (definition === undefined) throw new TypeError(name)
        mergeParameters({ [name]: definition }, [{ origin: 'command line', values: { [name]: values[name] } }])
      } catch (error) {
        if (!isVmpkgError(error, 'PARAMETER_INVALID')) throw error
        this.figures.refusedParameters += 1
        delete values[name]
        delete twins[name]
      }
    }
    return { params: merge(values), twins: merge(twins) }
  }

  /** Has everything since the last call read by libxml2, sh and jq. @param schemaShare of the documents, 0 to 1 */
  check(schemaShare: number): void {
    const folder = mkdtempSync(join(tmpdir(), 'vmpkg-fuzz-'))
    try {
      this.#checkXml(folder)
      this.#checkSchema(folder, schemaShare)
      this.#checkGuests(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
      this.#rendered = []
      this.#guests = []
    }
  }

  #checkXml(folder: string): void {
    if (this.#rendered.length === 0) return
    const twins = [...new Set(this.#rendered.map(({ twin }) => twin))]
    const canonical = canonise(folder, [...this.#rendered.map(({ xml }) => xml), ...twins])
    const outlines = new Map(
      twins.map((twin, index) => [twin, readCanonical(canonical[this.#rendered.length + index] ?? '').outline]),
    )
    for (const [index, { number, source, twin, values }] of this.#rendered.entries()) {
      const { outline, texts } = readCanonical(canonical[index] ?? '')
      assert.equal(outline, outlines.get(twin), `case ${number} of ${source} has not the elements of its template`)
      for (const value of values)
        assert.ok(texts.has(value), `case ${number} of ${source} lost ${JSON.stringify(value)}`)
    }
  }

  #checkSchema(folder: string, share: number): void {
    for (const kind of ['domain', 'network'] as const) {
      const all = this.#rendered.filter((one) => one.kind === kind)
      const sample = all.filter((_, index) => Math.floor(index * share) !== Math.floor((index - 1) * share))
      if (sample.length === 0) continue
      const files = sample.map(({ number, xml }) => {
        const file = join(folder, `${number}.xml`)
        writeFileSync(file, xml)
        return file
      })
      const schema = join('/usr/share/libvirt/schemas', `${kind}.rng`)
      const { status, stderr } = spawnSync('xmllint', ['--huge', '--noout', '--relaxng', schema, ...files], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      })
      const faults = stderr.split('\n').filter((line) => line !== '' && !line.endsWith(' validates'))
      assert.equal(status, 0, faults.slice(0, 20).join('\n'))
      this.figures.schemaChecked += sample.length
    }
  }

  #checkGuests(folder: string): void {
    const of = (...files: readonly GuestFile[]): readonly GuestText[] =>
      this.#guests.filter(({ file }) => files.includes(file))
    const shell = of('a.env.hbs', 'a.sh.hbs')
    if (shell.length > 0) {
      const script = shell.map(({ file, output }) =>
        file === 'a.env.hbs' ? `${output}printf '%s\\0' "$A"\n` : `${output}printf '%s\\0' "$#:$1"\n`,
      )
      const path = join(folder, 'all.sh')
      writeFileSync(path, script.join(''))
      // No program can be found: only what the shell has itself.
      const read = execFileSync('/bin/sh', ['-f', path], {
        env: { PATH: '/nonexistent' },
        cwd: folder,
        maxBuffer: 2 ** 30,
      })
        .toString()
        .split('\0')
      assert.equal(read.length, shell.length + 1)
      for (const [index, { number, file, value }] of shell.entries()) {
        const expected = file === 'a.env.hbs' ? value : `2:${value}`
        assert.equal(read[index], expected, `case ${number}: ${file}`)
      }
    }
    const json = of('a.json.hbs')
    if (json.length > 0) {
      const lines = execFileSync('jq', ['-c', '.'], {
        input: json.map(({ output }) => output).join(''),
        maxBuffer: 2 ** 30,
      })
        .toString()
        .trim()
        .split('\n')
      assert.equal(lines.length, json.length)
      for (const [index, { number, value }] of json.entries()) {
        assert.deepEqual(JSON.parse(lines[index] ?? ''), { a: [value, 'b'] }, `case ${number}: JSON`)
      }
    }
    for (const { number, output, value } of of('a.conf.hbs')) {
      assert.match(output, /^a [A-Za-z0-9._:/@+-]+\n$/, `case ${number}`)
      assert.equal(output, `a ${value}\n`)
    }
  }
}

/** Documents in their one spelling, by libxml2. */
function canonise(folder: string, documents: readonly string[]): readonly string[] {
  const file = join(folder, 'batch.xml')
  writeFileSync(file, `<batch>${documents.map((xml) => `<one>${xml}</one>`).join('')}</batch>`)
  const { status, stdout, stderr } = spawnSync('xmllint', ['--huge', '--c14n', file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  assert.equal(status, 0, `malformed: ${stderr.slice(0, 2000)}`)
  const parts = stdout
    .replace(/^<batch><one>/, '')
    .replace(/<\/one><\/batch>\n?$/, '')
    .split('</one><one>')
  assert.equal(parts.length, documents.length, 'a document holds the marks that part them')
  return parts
}

/** Elements with the names of their attributes, in order, and all texts. Canonical XML has one spelling, so patterns read it. Source: W3C Canonical XML 1.0, section 2.3. */
function readCanonical(canonical: string): { readonly outline: string; readonly texts: ReadonlySet<string> } {
  const outline: string[] = []
  const texts = new Set<string>()
  for (const [all, tag, attributes = '', content] of canonical.matchAll(
    /<(\/?[^\s>]+)((?: [^\s=]+="[^"]*")*)>|([^<]+)/g,
  )) {
    if (content !== undefined) {
      texts.add(decode(content))
      continue
    }
    const names: string[] = []
    for (const [, name = '', value = ''] of attributes.matchAll(/ ([^\s=]+)="([^"]*)"/g)) {
      names.push(name)
      texts.add(decode(value))
    }
    assert.ok(tag !== undefined, all)
    outline.push(`${tag}[${names.join(' ')}]`)
  }
  return { outline: outline.join(' '), texts }
}

const REFERENCES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#x9;': '\t',
  '&#xA;': '\n',
  '&#xD;': '\r',
}

function decode(written: string): string {
  return written.replaceAll(/&(?:amp|lt|gt|quot|#x9|#xA|#xD);/g, (one) => REFERENCES[one] ?? one)
}
