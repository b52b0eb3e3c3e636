import { SingleBar } from 'cli-progress'
import type { OnProgress } from '../engine/resolve/index.ts'

const MEGABYTE = 1e6
const LINE_EVERY = 0.1

/** Shows downloads on stderr: a bar on a terminal, elsewhere a line each tenth. */
export function showProgress(output: NodeJS.WriteStream = process.stderr): OnProgress {
  let bar: SingleBar | undefined
  let shownFile = ''
  let shownPart = 0
  const barOptions = {
    format: '{file} [{bar}] {percentage}% of {megabytes} MB, {eta_formatted} left',
    stream: output,
    hideCursor: true,
  }
  return (progress) => {
    if (progress.kind === 'notice') {
      bar?.stop()
      bar = undefined
      shownFile = ''
      output.write(`${progress.message}\n`)
      return
    }
    const { file, received, total } = progress
    const megabytes = (total / MEGABYTE).toFixed(1)
    const begins = file !== shownFile
    if (begins) shownPart = 0
    shownFile = file
    if (output.isTTY) {
      if (begins) {
        bar?.stop()
        bar = new SingleBar(barOptions)
        bar.start(total, received, { file, megabytes })
      } else bar?.update(received)
      if (received === total) bar?.stop()
      return
    }
    if (begins || received / total >= shownPart + LINE_EVERY || (received === total && shownPart < 1)) {
      shownPart = received / total
      output.write(`${file}: ${Math.floor(100 * shownPart)} % of ${megabytes} MB\n`)
    }
  }
}
