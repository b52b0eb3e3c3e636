import type { Readable } from 'node:stream'

/** A frame is 4 bytes of big-endian length and that many bytes of JSON. */
export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message))
  const frame = Buffer.allocUnsafe(4 + body.length)
  frame.writeUInt32BE(body.length, 0)
  body.copy(frame, 4)
  return frame
}

/** Calls `onFrame` with each whole frame of the stream. A frame that is not JSON or too long calls `onError`. */
export function readFrames(
  stream: Readable,
  maxBytes: number,
  onFrame: (message: unknown) => void,
  onError: (error: Error) => void,
): void {
  let chunks: Buffer[] = []
  let have = 0
  let need = -1
  const take = (count: number): Buffer => {
    const joined = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    chunks = joined.length > count ? [joined.subarray(count)] : []
    have -= count
    return joined.subarray(0, count)
  }
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    have += chunk.length
    while (true) {
      if (need < 0) {
        if (have < 4) return
        need = take(4).readUInt32BE(0)
        if (need > maxBytes) {
          onError(new Error(`a frame of ${need} bytes is over the cap of ${maxBytes}`))
          stream.destroy()
          return
        }
      }
      if (have < need) return
      const body = take(need).toString('utf8')
      need = -1
      try {
        onFrame(JSON.parse(body))
      } catch (error) {
        onError(error as Error)
        stream.destroy()
        return
      }
    }
  })
}
