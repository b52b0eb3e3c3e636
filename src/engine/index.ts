export type { Example, FloatArray, Loss, LossResult, Sequence, TokenOutputs } from './contract.ts'
export { EngineError } from './engine-error.ts'
export { type LoadOptions, loadModel } from './load-model.ts'
export type {
  AdamWStep,
  BatchReport,
  ForwardOptions,
  LoraConfig,
  Model,
  ModelInfo,
  MuonStep,
  Precision,
  Sample,
  SampleRequest,
  StepReport,
  TrainableModel,
  TrainingMethod,
  TrainingOptions,
} from './model.ts'
export { newModel } from './new-model.ts'
