/** The engine suite: what is measured, against whom, and how far the project means to reach. */

/** A program and its arguments; REPETITIONS stands for the number of timed calls. */
export type Command = readonly string[]

export interface Comparison {
  peer: string
  /** Several ways that the peer can do it: the best counts. */
  commands: Readonly<Record<string, Command>>
  /** Ours over the peer's that the project means to reach (for memory, the peer's over ours). */
  reach?: number
}

export interface Figure {
  name: string
  unit: 'tokens/s' | 'bytes'
  ours: Command
  comparisons: readonly Comparison[]
  /** Which limit of the machine `perToken` is a share of, and the share that the project means to reach. */
  limit?: { of: 'bf16' | 'f32' | 'bandwidth'; perToken: number; reach?: number }
}

// SmolLM2-135M: 30 layers of q, o (576 x 576), k, v (576 x 192), gate, up, down (576 x 1536), and the tied head.
const matrixParameters = 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536) + 49152 * 576
// A multiply and an add a parameter forward; twice that backward, for the gradients of inputs and of weights.
const forwardOperations = 2 * matrixParameters
const trainingOperations = 6 * matrixParameters

const engine = (script: string, ...rest: string[]) => [process.execPath, `bench/engine/${script}.ts`, ...rest]
const python = (script: string, ...rest: string[]) => [
  'bench/.peers/python/bin/python',
  `bench/peers/${script}.py`,
  ...rest,
]
const llama = (weights: string, ...rest: string[]) => [
  process.execPath,
  'bench/peers/llama-cpp.mjs',
  weights,
  'REPETITIONS',
  ...rest,
]
const bothWays = (script: string) => ({
  autocast: python(script, 'autocast', 'REPETITIONS'),
  'pure bf16': python(script, 'pure', 'REPETITIONS'),
})

export const figures: readonly Figure[] = [
  {
    name: 'forward+backward bf16, 4x256',
    unit: 'tokens/s',
    ours: engine('forward-backward', 'bf16', 'REPETITIONS'),
    comparisons: [{ peer: 'PyTorch', commands: bothWays('forward_backward'), reach: 1.7 }],
    limit: { of: 'bf16', perToken: trainingOperations },
  },
  {
    name: 'forward bf16, 4x256',
    unit: 'tokens/s',
    ours: engine('forward', 'bf16', 'REPETITIONS'),
    comparisons: [{ peer: 'PyTorch', commands: bothWays('forward'), reach: 1.7 }],
    limit: { of: 'bf16', perToken: forwardOperations },
  },
  {
    name: 'forward+backward f32, 4x256',
    unit: 'tokens/s',
    ours: engine('forward-backward', 'f32', 'REPETITIONS'),
    comparisons: [
      { peer: 'PyTorch', commands: { f32: python('forward_backward', 'f32', 'REPETITIONS') }, reach: 2 },
    ],
    limit: { of: 'f32', perToken: trainingOperations },
  },
  {
    name: 'sampling bf16, 32x64',
    unit: 'tokens/s',
    ours: engine('sample', 'bf16', 'REPETITIONS'),
    comparisons: [
      { peer: 'transformers', commands: { 'pure bf16': python('generate', 'REPETITIONS') }, reach: 8 },
      { peer: 'llama.cpp', commands: { bf16: llama('bf16'), f16: llama('f16') }, reach: 4 },
      { peer: 'llama.cpp', commands: { 'Q4_1 weights': llama('q4_1') } },
    ],
    limit: { of: 'bf16', perToken: forwardOperations },
  },
  {
    name: 'one sequence bf16, token by token',
    unit: 'tokens/s',
    ours: engine('one-sequence', 'bf16', 'REPETITIONS'),
    comparisons: [{ peer: 'llama.cpp', commands: { bf16: llama('bf16', '1'), f16: llama('f16', '1') } }],
    limit: { of: 'bandwidth', perToken: 2 * matrixParameters, reach: 0.7 },
  },
  {
    name: 'peak memory, AdamW step 4x256 bf16',
    unit: 'bytes',
    ours: engine('train-step-memory', 'bf16'),
    comparisons: [
      { peer: 'PyTorch', commands: { autocast: python('train_step_memory', 'autocast') }, reach: 2 },
      { peer: 'PyTorch', commands: { 'pure bf16': python('train_step_memory', 'pure') } },
    ],
  },
  {
    name: 'group of 8, prompt 512, shared',
    unit: 'tokens/s',
    ours: engine('prefix-sharing', 'bf16', 'REPETITIONS'),
    comparisons: [
      { peer: 'itself', commands: { separate: engine('prefix-sharing', 'bf16', 'REPETITIONS', 'separate') } },
    ],
  },
]
