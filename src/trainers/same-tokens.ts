import type { Model } from '../engine/index.ts'

/** What a trainer is given may be no whole model; then nobody can tell. */
export type Speaker = Partial<Pick<Model, 'tokenizer' | 'info'>>

/**
 * Refuses two models of which one is asked about tokens of the other where an id does not mean the same to both: as many tokens are not
 * yet the same tokens.
 *
 * @param written whose tokens they are, `read` who is asked about them; each with its name in errors
 * @throws RangeError naming the first token that differs
 */
export function refuseOtherTokens(
  trainer: string,
  written: { name: string; model: Speaker },
  read: { name: string; model: Speaker },
): void {
  const refuse = (difference: string): never => {
    throw new RangeError(
      `${trainer}: ${difference}; they must share a vocabulary: take a ${read.name} with the tokenizer of the ${written.name}`,
    )
  }
  const [head, other] = [written, read].map(({ model }) => model.info?.vocabularySize)
  if (head !== undefined && other !== undefined && other < head)
    refuse(`the ${written.name} has ${head} tokens, the ${read.name} ${other}`)
  const [mine, theirs] = [written.model.tokenizer, read.model.tokenizer]
  if (!mine || !theirs || mine === theirs) return
  const sizes = [mine.vocabularySize, theirs.vocabularySize]
  // A model without a tokenizer is used with token ids, which its user vouches for.
  if (Math.min(...sizes) === 0) return
  for (let id = 0; id < Math.max(...sizes); id++) {
    const [one, another] = [mine.idToToken(id), theirs.idToToken(id)]
    if (one !== another)
      refuse(
        `token ${id} is ${textOf(one)} to the ${written.name} and ${textOf(another)} to the ${read.name}`,
      )
  }
}

function textOf(token: string | undefined): string {
  return token === undefined ? 'none' : JSON.stringify(token)
}
