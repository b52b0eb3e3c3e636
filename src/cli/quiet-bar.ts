import { SingleBar } from 'cli-progress'

/** A bar whose redrawing keeps no process alive: a program that waits for nothing any more would otherwise never end on a terminal. */
export class QuietBar extends SingleBar {
  /** cli-progress's own, of the next redrawing; its types leave it out. */
  declare private timer?: NodeJS.Timeout

  override render(): void {
    super.render()
    this.timer?.unref()
  }
}
