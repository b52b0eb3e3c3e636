import type { StageReport } from '../trainers/index.ts'

/** Takes a stage to its last step; the run records and shows what it reports. */
export async function runToEnd(stage: AsyncGenerator<StageReport, void, void>): Promise<void> {
  for await (const _ of stage);
}
