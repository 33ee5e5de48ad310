/// <reference types="handlebars" />

/** The parser alone: the whole library is 44 files, and nothing else of it is used. */
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export function parse(source: string): hbs.AST.Program
}
