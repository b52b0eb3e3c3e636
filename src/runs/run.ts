import type { TrainableModel } from '../engine/index.ts'
import type { StageReport, StageRun } from '../trainers/stage.ts'
import type { Configuration } from './configuration.ts'

export interface RunOptions {
  name: string
  /** Integer from 0. */
  seed: number
  /** What the program was told, as JSON. A resume with anything else is refused. */
  options?: unknown
  /** The file that the run's code is in, for the record. */
  program?: { file: string; sha256: string }
  /** Go on with what is in the directory; a run begins where there is nothing. Default false: the directory must be new or empty. */
  resume?: boolean
  /** Stops the run after the step in hand, with a checkpoint. */
  signal?: AbortSignal
  /** A checkpoint is due after so many steps, or so many seconds. Results do not depend on it. Default: 60 seconds. */
  checkpointEvery?: { steps?: number; seconds?: number }
  onReport?(report: StageReport): void
  /** Hears what is no trouble: that a run to be resumed is not there yet, so one begins. */
  onNotice?(text: string): void
  /** Hears what a reader of the run should know: a damaged checkpoint, another machine. */
  onWarning?(text: string): void
}

export interface Run extends StageRun {
  readonly directory: string
  /** What the run is of, whatever becomes of its config.json while it is under way. */
  readonly configuration: Readonly<Configuration>
  /**
   * Computes a piece of JSON once and keeps it in results/<name>.json, from where a resumed run reads it: for measurements between
   * stages. Must depend on the run's configuration alone, as it is part of the digest.
   */
  once<T>(name: string, compute: () => Promise<T>): Promise<T>
  /** Records the SHA-256 of a set of examples; a resume with other examples under the same name is refused. */
  dataset(name: string, sha256: string): Promise<void>
  /** Loads a stage's best checkpoint into models of the same names, or into its only one; gives its steps, undefined where there is none. */
  restoreBest(
    stage: string,
    models: TrainableModel | Readonly<Record<string, TrainableModel>>,
  ): Promise<number | undefined>
  /** Ends a run that went to its end, and gives its digest. */
  finish(): Promise<string>
  /** Lets go of the directory. */
  close(): Promise<void>
}
