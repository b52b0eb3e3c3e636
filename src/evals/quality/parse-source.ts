import { createRequire } from 'node:module'
import { Language as Grammar, Parser, type Tree } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'

const require = createRequire(import.meta.url)
const parsers = new Map<Language, Promise<Parser>>()

/** The syntax tree of the source; broken source gives a tree with errors in it. The caller deletes it. */
export async function parseSource(source: string, language: Language): Promise<Tree> {
  const parser = parsers.get(language) ?? loadParser(language)
  parsers.set(language, parser)
  return (await parser).parse(source)!
}

async function loadParser(language: Language): Promise<Parser> {
  await Parser.init()
  const parser = new Parser()
  parser.setLanguage(await Grammar.load(grammarFile(language)))
  return parser
}

function grammarFile(language: Language): string {
  switch (language) {
    case 'javascript':
      return require.resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-javascript.wasm')
    case 'typescript':
      return require.resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-typescript.wasm')
    case 'python':
      return require.resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-python.wasm')
  }
}
