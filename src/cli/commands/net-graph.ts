import { VmpkgError } from '../../errors.ts'
import { readTopology } from '../../operations/net.ts'
import { renderMermaid } from '../../router/graph-mermaid.ts'
import { renderSvg } from '../../router/graph-svg.ts'
import { renderText } from '../../router/graph-text.ts'
import type { Topology } from '../../router/topology.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { columnsOf } from '../io.ts'
import { formatTree } from '../tree.ts'

/** Without the line end that printing adds. */
const FORMATS: Readonly<Record<string, (topology: Topology, columns: number | undefined) => string>> = {
  text: (topology, columns) => formatTree(renderText(topology), columns),
  mermaid: (topology) => renderMermaid(topology).trimEnd(),
  svg: (topology) => renderSvg(topology).trimEnd(),
}

export const command: CommandSpec = {
  args: '',
  summary: 'Draw the networks and the machines on them, from the outside down to the clients.',
  description:
    'text is a tree, mermaid a flowchart for Markdown, svg one file for a browser.\n' +
    'What is not as it should be is marked: a link that is down, a router that is\n' +
    'gone, a machine on several networks, one that vmpkg did not make. Guests are\n' +
    'not asked.',
  options: [{ flags: '--format <format>', summary: 'text, mermaid or svg (default text)' }],
  examples: ['vmpkg net graph', 'vmpkg net graph --format mermaid', 'vmpkg net graph --json'],
  async run({ options, io }) {
    const name = optionText(options, 'format') ?? 'text'
    const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
    if (format === undefined) {
      throw new VmpkgError('USAGE', `There is no format ${JSON.stringify(name.slice(0, 40))}`, {
        hint: 'Choose text, mermaid or svg.',
      })
    }
    const topology = await readTopology(await io.workspace())
    if (io.json) io.printJson('net-graph', { nodes: topology.nodes, edges: topology.edges })
    else if (name === 'text' && topology.nodes.length === 0) io.note('There are no networks and no routers yet.')
    else io.print(format(topology, columnsOf(io.stdout)))
    return 0
  },
}
