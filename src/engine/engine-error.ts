/** Something the engine was given that it cannot work with. */
export class EngineError extends Error {
  override name = 'EngineError'
}
