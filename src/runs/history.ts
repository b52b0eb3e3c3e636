import { type FileHandle, open, readFile } from 'node:fs/promises'

/** A file of lines of which this process has written, or taken over, the first `position` bytes. */
export interface History {
  position: number
  /** Whether bytes follow that no restored checkpoint vouches for. */
  hasMore(): Promise<boolean>
  append(line: string): Promise<void>
  /** Drops all after `position`: lines of steps that will be run again, and half a line. Of a file that is shorter its whole lines stay. */
  cut(): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** Where the last whole line of a file ends. */
async function endOfLines(path: string): Promise<number> {
  return (await readFile(path)).lastIndexOf('\n') + 1
}

export async function openHistory(path: string): Promise<History> {
  const file: FileHandle = await open(path, 'a+')
  const history: History = {
    position: 0,
    hasMore: async () => (await file.stat()).size > history.position,
    async append(line) {
      const bytes = Buffer.from(`${line}\n`)
      try {
        await file.appendFile(bytes)
      } catch (error) {
        await file.truncate(history.position)
        throw error
      }
      history.position += bytes.length
    },
    async cut() {
      const { size } = await file.stat()
      if (size < history.position) history.position = await endOfLines(path)
      await file.truncate(history.position)
    },
    sync: () => file.sync(),
    close: () => file.close(),
  }
  return history
}
