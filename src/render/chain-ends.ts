/**
 * Handlebars takes away the white space before an `{{/if}}` alone on its line, but not where the block is a chain of
 * `{{else if}}`: what stands there would indent whatever comes next twice. Here it goes in chains too.
 */

/** Changes the parsed program: to be called once, before it is read. */
export function trimChainEnds(source: string, program: hbs.AST.Program): void {
  const lines = source.split('\n')
  visit(program)

  function visit({ body }: hbs.AST.Program): void {
    for (const statement of body) {
      if (!isBlock(statement)) continue
      const { program: first, inverse } = statement as Partial<hbs.AST.BlockStatement>
      if (inverse !== undefined && isChained(inverse) && isAlone(lines, statement.loc.end)) trimEnd(lastBranch(inverse))
      for (const branch of [first, inverse]) if (branch !== undefined) visit(branch)
    }
  }
}

function isBlock(statement: hbs.AST.Statement): statement is hbs.AST.BlockStatement {
  return statement.type === 'BlockStatement'
}

/** handlebars' types do not have it. */
function isChained(program: hbs.AST.Program): boolean {
  return 'chained' in program && program.chained === true
}

/** What follows the last `{{else}}` or `{{else if}}` of a chain. */
function lastBranch(inverse: hbs.AST.Program): hbs.AST.Program {
  const [inner] = inverse.body
  if (!isChained(inverse) || inner === undefined || !isBlock(inner)) return inverse
  const { program, inverse: next } = inner as Partial<hbs.AST.BlockStatement>
  return next === undefined ? (program ?? inverse) : lastBranch(next)
}

/** Whether the tag that ends there is all that its line has. */
function isAlone(lines: readonly string[], { line, column }: hbs.AST.Position): boolean {
  const text = lines[line - 1] ?? ''
  return text.slice(column).trim() === '' && /^[ \t]*\{\{\/[^{}]*\}\}$/.test(text.slice(0, column))
}

function trimEnd({ body }: hbs.AST.Program): void {
  const last = body.at(-1)
  if (last?.type !== 'ContentStatement') return
  const content = last as hbs.AST.ContentStatement
  content.value = content.value.replace(/[ \t]+$/, '')
}
