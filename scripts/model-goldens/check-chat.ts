import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { renderChat } from '../../src/text/index.ts'
import type { GoldenResult, LoadGoldenModel } from './golden-model.ts'
import { worstRelativeError } from './worst-error.ts'

const schema = z.object({
  cases: z
    .array(
      z.object({
        messages: z.array(z.object({ role: z.enum(['system', 'user']), content: z.string() })),
        answer: z.string(),
        prompt: z.string(),
        input: z.array(z.int()),
        target: z.array(z.int()),
        logprobs: z.array(z.number()),
        greedy: z.string(),
      }),
    )
    .min(1),
})

/** Compares a chat model with its golden conversations: rendered text and token ids exactly, logprobs, greedy text exactly. */
export async function checkChatGolden(
  file: string,
  modelName: string,
  load: LoadGoldenModel,
): Promise<GoldenResult> {
  const { cases } = schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  const model = await load(modelName)
  const result: GoldenResult = { name: modelName, errors: { logprobs: 0 }, failures: [] }
  for (const [index, golden] of cases.entries()) {
    const prompt = renderChat(model.tokenizer, golden.messages, { addGenerationPrompt: true })
    if (prompt !== golden.prompt)
      result.failures.push(`case ${index}: the prompt is rendered as ${JSON.stringify(prompt)}`)
    const promptTokens = model.tokenizer.encode(prompt)
    const ids = [...promptTokens, ...model.tokenizer.encode(golden.answer)]
    if (
      JSON.stringify(ids.slice(0, -1)) !== JSON.stringify(golden.input) ||
      ids.at(-1) !== golden.target.at(-1)
    )
      result.failures.push(`case ${index}: the messages become the token ids ${JSON.stringify(ids)}`)
    const sequence = { input: Int32Array.from(golden.input), target: Int32Array.from(golden.target) }
    const [output] = await model.forward([sequence])
    result.errors.logprobs = Math.max(
      result.errors.logprobs ?? 0,
      worstRelativeError(output?.logprobs ?? [], golden.logprobs),
    )
    const [sample] = await model.sample({
      prompt: promptTokens,
      n: 1,
      maxTokens: model.tokenizer.encode(golden.greedy).length,
      temperature: 0,
      stopTokens: [...model.tokenizer.stopTokenIds],
    })
    const greedy = model.tokenizer.decode(sample?.tokens ?? [], { skipSpecial: true })
    if (greedy !== golden.greedy)
      result.failures.push(`case ${index}: greedy sampling gives ${JSON.stringify(greedy)}`)
  }
  return result
}
