import { createHash } from 'node:crypto'
import { seedOf } from '../data/index.ts'
import type { RecordedCall } from './recorded-call.ts'
import { messageOf, RolloutError } from './rollout-error.ts'
import { type RecordedCalls, segmentCalls } from './segments.ts'

/** What the policy's language models keep of their calls: one trajectory. */
export interface Recording {
  /** What was recorded so far. */
  read(): RecordedCalls
  /** Aborts calls in flight and refuses later ones; what was recorded stays. */
  close(reason?: unknown): void
  /** Whether it was closed over a call that its caller had not given up, or one came later: nobody awaited it. */
  readonly unawaited: boolean
}

/** A call's place in its recording. */
export interface CallTicket {
  /** For the engine; the same for the same call of the same rollout, whatever else goes on. */
  seed: number
  digest: string
  occurrence: number
}

/** What a language model needs of its recording. */
export interface OpenRecording extends Recording {
  /** Completed calls, in the order in which they completed. */
  readonly calls: readonly RecordedCall[]
  /** Aborted when the recording is closed. */
  readonly signal: AbortSignal
  /** Throws where the recording is closed: for a call that has not begun. */
  refuseLateCall(): void
  /** Throws where the recording is closed. */
  refuseIfClosed(): void
  /**
   * Announces a call. `seed` is the caller's own, if any: with one, the same prompt gets the same answer
   * again. The caller gives the call up by its signal.
   */
  begin(prompt: Int32Array, seed: number | undefined, signal: AbortSignal | undefined): CallTicket
  /** Keeps a completed call. */
  keep(ticket: CallTicket, call: Omit<RecordedCall, 'digest' | 'occurrence'>): void
  /** Says that a call of `begin` is over, kept or not. */
  end(ticket: CallTicket): void
}

/**
 * A recording whose calls' seeds come from its own, the prompt's tokens and how many calls had the same
 * prompt before: calls that run side by side draw the same whichever comes first. Calls are in the order they
 * began in; those of a rollout that had several in flight in the order of their prompts' lengths, then
 * digests, since their beginnings are a matter of timing.
 */
export function createRecording(options: { seed?: number; signal?: AbortSignal } = {}): OpenRecording {
  const { seed = 0, signal } = options
  const closing = new AbortController()
  const occurrences = new Map<string, number>()
  const kept: { call: RecordedCall; order: number }[] = []
  const orders = new Map<CallTicket, number>()
  const inFlight = new Map<CallTicket, AbortSignal | undefined>()
  let overlapped = false
  let unawaited = false
  const close = (reason: unknown = new RolloutError('the recording was closed')) => {
    unawaited ||= [...inFlight.values()].some((given) => !given?.aborted)
    closing.abort(reason)
  }
  const refuseIfClosed = () => {
    if (!closing.signal.aborted) return
    throw new RolloutError(
      `the policy no longer answers: ${messageOf(closing.signal.reason)}. Await every call of a rollout, and heed its signal`,
    )
  }
  if (signal?.aborted) close(signal.reason)
  signal?.addEventListener('abort', () => close(signal.reason), { signal: closing.signal })
  return {
    get calls() {
      return kept.map(({ call }) => call)
    },
    signal: closing.signal,
    close,
    get unawaited() {
      return unawaited
    },
    refuseLateCall() {
      unawaited ||= closing.signal.aborted
      refuseIfClosed()
    },
    refuseIfClosed,
    begin(prompt, ownSeed, given) {
      const digest = createHash('sha256')
        .update(new Uint8Array(prompt.buffer, prompt.byteOffset, prompt.byteLength))
        .digest('hex')
      const occurrence = occurrences.get(digest) ?? 0
      occurrences.set(digest, occurrence + 1)
      overlapped ||= inFlight.size > 0
      const parts = ownSeed === undefined ? [occurrence] : ['given', ownSeed]
      const ticket = { seed: seedOf('call', seed, digest, ...parts), digest, occurrence }
      orders.set(ticket, orders.size)
      inFlight.set(ticket, given)
      return ticket
    },
    keep(ticket, call) {
      const { digest, occurrence } = ticket
      kept.push({ call: { ...call, digest, occurrence }, order: orders.get(ticket) as number })
    },
    end(ticket) {
      inFlight.delete(ticket)
    },
    read() {
      const sorted = [...kept].sort((a, b) => (overlapped ? byPrompt(a.call, b.call) : a.order - b.order))
      return segmentCalls(sorted.map(({ call }) => call))
    },
  }
}

function byPrompt(a: RecordedCall, b: RecordedCall): number {
  if (a.prompt.length !== b.prompt.length) return a.prompt.length - b.prompt.length
  if (a.digest !== b.digest) return a.digest < b.digest ? -1 : 1
  return a.occurrence - b.occurrence
}
