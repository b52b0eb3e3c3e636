import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The file of a recipe of this package by its name, `recipes/NAME`; undefined where there is none. */
export function findRecipe(name: string): string | undefined {
  const recipe = /^recipes\/([a-z0-9-]+)\/?$/.exec(name)?.[1]
  return recipe === undefined ? undefined : programOf(recipe)
}

/** `recipes/NAME` of each. */
export function recipeNames(): string[] {
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && programOf(entry.name) !== undefined)
    .map(({ name }) => `recipes/${name}`)
    .sort()
}

function programOf(recipe: string): string | undefined {
  return ['index.ts', 'index.js']
    .map((file) => fileURLToPath(new URL(`./${recipe}/${file}`, import.meta.url)))
    .find((path) => existsSync(path))
}
