/** What a download tells its caller. */
export type Progress =
  | { kind: 'notice'; message: string }
  /** Bytes of a file so far and in all. */
  | { kind: 'bytes'; file: string; received: number; total: number }

export type OnProgress = (progress: Progress) => void
