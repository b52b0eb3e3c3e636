import { basename } from 'node:path'
import { runLossGoldens } from '../goldens-losses.ts'
import { checkChatGolden } from './check-chat.ts'
import { checkModelFolder } from './check-model.ts'
import { findGoldens } from './find-goldens.ts'
import type { GoldenResult, LoadGoldenModel } from './golden-model.ts'

/** Of f32 against PyTorch's f32. */
const TOLERANCE = 1e-4
/** The weights that the conversations were recorded with, wherever the hub is. */
const CHAT_MODEL = 'smollm2-135m-q4_1'

/** Checks all goldens under a folder, prints a line each, and says whether all are within the tolerance. */
export async function runGoldens(
  directory: string,
  load: LoadGoldenModel,
  print: (line: string) => void,
): Promise<boolean> {
  const { models, chat, losses } = findGoldens(directory)
  let good = true
  const check = async (name: string, work: () => Promise<GoldenResult>) => {
    const result = await work().catch((error: Error) => ({ name, errors: {}, failures: [error.message] }))
    const worst = Object.values(result.errors).reduce((a, b) => Math.max(a, b), 0)
    const passed = result.failures.length === 0 && worst <= TOLERANCE
    good &&= passed
    const errors = Object.entries(result.errors).map(([what, error]) => `${what} ${error.toExponential(2)}`)
    print(`${passed ? 'ok  ' : 'FAIL'} ${result.name.padEnd(26)} ${errors.join('  ')}`)
    for (const failure of result.failures) print(`       ${failure}`)
  }
  if (models.length > 0 || chat !== undefined) print(`worst relative errors (at most ${TOLERANCE} is ok)`)
  for (const model of models) await check(basename(model), () => checkModelFolder(model, load))
  if (chat !== undefined) await check(CHAT_MODEL, () => checkChatGolden(chat, CHAT_MODEL, load))
  if (losses !== undefined) good = (await runLossGoldens(losses)) && good
  return good
}
