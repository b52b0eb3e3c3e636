import { createRequire } from 'node:module'
import { Language as Grammar, Parser, type Tree } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'

const grammars = new Map<Language, Promise<Parser>>()

/** The syntax tree of the source; broken source gives a tree with errors in it. The caller deletes it. */
export async function parseSource(source: string, language: Language): Promise<Tree> {
  let parser = grammars.get(language)
  if (parser === undefined) {
    parser = loadParser(language)
    grammars.set(language, parser)
  }
  return (await parser).parse(source)!
}

async function loadParser(language: Language): Promise<Parser> {
  await Parser.init()
  const wasm = `@vscode/tree-sitter-wasm/wasm/tree-sitter-${language}.wasm`
  const parser = new Parser()
  parser.setLanguage(await Grammar.load(createRequire(import.meta.url).resolve(wasm)))
  return parser
}
