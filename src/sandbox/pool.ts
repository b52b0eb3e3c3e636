/** What a pool keeps: something that serves one request at a time and may die. */
export interface PoolWorker {
  /** Resolves once the worker can serve again, rejects or resolves with false when it must be replaced. */
  settled(): Promise<boolean>
  close(): Promise<void>
}

export interface Pool<W extends PoolWorker> {
  /** Waits for a free worker and lends it to `work`. Requests are served in the order of arrival. */
  use<T>(work: (worker: W) => Promise<T>): Promise<T>
  /** Closes the workers and refuses what still waits. */
  close(): Promise<void>
}

/**
 * A pool of at most `size` workers, started on demand. A worker that died is replaced by the next request; only the
 * request that it served fails.
 */
export function createPool<W extends PoolWorker>(size: number, start: () => Promise<W>): Pool<W> {
  const idle: W[] = []
  const all = new Set<W>()
  const waiting: Array<{ admit: () => void; refuse: (error: Error) => void }> = []
  let busy = 0
  let closed = false

  const enter = () =>
    new Promise<void>((admit, refuse) => {
      if (closed) refuse(new Error('the sandbox is closed'))
      else if (busy < size) {
        busy++
        admit()
      } else waiting.push({ admit, refuse })
    })

  const leave = () => {
    const next = waiting.shift()
    if (next) next.admit()
    else busy--
  }

  const release = async (worker: W) => {
    const reusable = await worker.settled().catch(() => false)
    if (reusable && !closed) idle.push(worker)
    else {
      all.delete(worker)
      await worker.close().catch(() => {})
    }
    leave()
  }

  return {
    async use(work) {
      await enter()
      let worker: W
      try {
        worker = idle.pop() ?? (await start())
        all.add(worker)
      } catch (error) {
        leave()
        throw error
      }
      try {
        return await work(worker)
      } finally {
        void release(worker)
      }
    },
    async close() {
      closed = true
      for (const request of waiting.splice(0)) request.refuse(new Error('the sandbox is closed'))
      await Promise.allSettled([...all].map((worker) => worker.close()))
    },
  }
}
