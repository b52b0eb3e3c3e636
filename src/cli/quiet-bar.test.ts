import { Writable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { QuietBar } from './quiet-bar.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

it('a bar on a terminal leaves no timer that keeps a process alive', () => {
  const timers: NodeJS.Timeout[] = []
  const schedule = globalThis.setTimeout
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((work: () => void, milliseconds: number) => {
    const timer = schedule(work, milliseconds)
    timers.push(timer)
    return timer
  }) as typeof setTimeout)
  const written: string[] = []
  const terminal = new Writable({
    write(chunk, _, done) {
      written.push(String(chunk))
      done()
    },
  })
  const stream = Object.assign(terminal, { isTTY: true, columns: 80 })
  const bar = new QuietBar({ format: '{value}/{total}', stream })
  bar.start(3, 1)
  const before = timers.length
  bar.render()
  expect(written.join('')).toContain('1/3')
  expect(timers.length).toBeGreaterThan(before)
  expect(timers.map((timer) => timer.hasRef())).toEqual(timers.map(() => false))
  bar.stop()
})
