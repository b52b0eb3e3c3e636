/** The task of the algorithms' bench: write three letters backwards. Some are trained on, others only measured. */
import { generateText } from 'ai'
import { seededRandom } from '../../src/data/index.ts'
import { type Model, newModel } from '../../src/engine/index.ts'
import { collectGroups, createPolicy, type RolloutContext } from '../../src/rollouts/index.ts'
import { trainTokenizer } from '../../src/text/index.ts'
import { sft } from '../../src/trainers/index.ts'

const letters = ['a', 'b', 'c', 'd', 'e', 'f']
const words = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)))
/** A fifth of the words, spread over all of them. */
const heldOut = new Set(words.filter((_, index) => seededRandom('held out', index).next() < 0.2))
const taskOf = (word: string) => ({ id: word, task: word })
export const trainedTasks = words.filter((word) => !heldOut.has(word)).map(taskOf)
const measuredTasks = words.filter((word) => heldOut.has(word)).map(taskOf)

export const reversed = (word: string) => [...word].reverse().join('')
export const maxTokens = 6

export async function reverseRollout({ model, task, signal }: RolloutContext<string>): Promise<number> {
  const { text } = await generateText({ model, prompt: task, abortSignal: signal, maxRetries: 0 })
  return text === reversed(task) ? 1 : 0
}

/** pass@1 on words that were never trained on: the mean over eight samples of each. */
export async function passRate(model: Model): Promise<number> {
  const policy = createPolicy(model, { maxTokens })
  const { metrics } = await collectGroups({
    policy,
    tasks: measuredTasks,
    rollout: reverseRollout,
    groupSize: 8,
    seed: 1,
    step: 0,
  })
  return metrics.rewardMean!
}

/** A model of 3.4 million parameters that saw the task done right and wrong: it passes some of the words. */
export async function startingModel(steps: number): Promise<Model> {
  const tokenizer = await trainTokenizer(['a'], {
    vocabularySize: 259,
    specialTokens: ['<|end|>', '<|s|>', '<|e|>'],
    eosToken: '<|end|>',
    chatTemplate:
      '{% for m in messages %}<|s|>{{ m.role[0] }}:{{ m.content }}<|e|>{% endfor %}{% if add_generation_prompt %}<|s|>a:{% endif %}',
  })
  const size = { vocab_size: 259, hidden_size: 256, intermediate_size: 768, num_hidden_layers: 4 }
  const heads = { num_attention_heads: 4, num_key_value_heads: 4, max_position_embeddings: 128 }
  const rest = { rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: true, initializer_range: 0.05 }
  const base = await newModel({ model_type: 'llama', ...size, ...heads, ...rest }, tokenizer, {
    precision: 'f32',
  })
  const model = await base.trainable({ full: true })
  const examples = trainedTasks.map(({ task }, index) => {
    const right = index % 3 === 0
    return {
      messages: [
        { role: 'user' as const, content: task },
        { role: 'assistant' as const, content: right ? reversed(task) : task },
      ],
    }
  })
  const optimizer = { learningRate: 0.001, warmupSteps: 5 }
  for await (const _ of sft({ model, examples, optimizer, batch: { examples: 32 }, steps }));
  return model.snapshot()
}
