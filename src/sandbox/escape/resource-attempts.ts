/** What would use up the machine: time, memory, processes, output and files. */
import { type Attempt, short, stopsAs } from './attempt.ts'

export const pythonResourceAttempts: Attempt[] = [
  {
    name: 'stops a fork bomb',
    request: { source: 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', ...short },
    escaped: stopsAs('timeout', 'exception'),
  },
  {
    name: 'stops a thread bomb',
    request: {
      source:
        'import threading, time\nfor _ in range(5000): threading.Thread(target=time.sleep, args=(9,)).start()',
      ...short,
    },
    escaped: stopsAs('exception', 'memory'),
  },
  {
    name: 'stops a memory bomb',
    request: { source: 'held = []\nwhile True: held.append(bytearray(1 << 24))', ...short },
    escaped: stopsAs('memory'),
  },
  {
    name: 'stops an output flood',
    request: { source: "while True: print('x' * 1000)", ...short },
    escaped: (result, facts) =>
      stopsAs('output')(result, facts) ??
      (result.stdout.length > 65_536 ? 'more came through than the cap' : undefined),
  },
  {
    name: 'stops a loop that swallows interrupts',
    request: {
      source:
        'while True:\n  try:\n    while True: pass\n  except BaseException: pass\n  finally:\n    continue',
      ...short,
    },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops a program that ignores signals',
    request: {
      source:
        'import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nwhile True: pass',
      ...short,
    },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops a regular-expression bomb',
    request: { source: "import re\nre.match('(a+)+$', 'a' * 64 + 'b')", ...short },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops a zip bomb',
    request: {
      source:
        'import zlib\nsmall = zlib.compress(bytes(1 << 24))\nopened = []\nwhile True: opened.append(zlib.decompress(small))',
      ...short,
    },
    escaped: stopsAs('memory', 'timeout'),
  },
  {
    name: 'stops a program that fills pipes',
    request: {
      source:
        'import os\nwhile True:\n    r, w = os.pipe()\n    os.set_blocking(w, False)\n    try:\n        while True: os.write(w, bytes(1 << 20))\n    except BlockingIOError: pass',
      limits: { ...short.limits, milliseconds: 4000 },
    },
    escaped: stopsAs('exception', 'memory', 'timeout'),
  },
  {
    name: 'caps what is written to files',
    request: {
      source: "with open('big', 'wb') as file:\n  while True: file.write(bytes(1 << 20))",
      limits: { ...short.limits, fileBytes: 8 * 2 ** 20, milliseconds: 4000 },
    },
    escaped: stopsAs('exception', 'memory'),
  },
]

export const javascriptResourceAttempts: Attempt[] = [
  {
    name: 'stops a memory bomb',
    request: {
      source: 'const held = []; while (true) held.push(new Uint8Array(1 << 22))',
      limits: { memoryBytes: 32 * 2 ** 20, milliseconds: 10_000 },
    },
    escaped: stopsAs('memory'),
  },
  {
    name: 'stops an output flood',
    request: { source: "while (true) console.log('x'.repeat(1000))", ...short },
    escaped: (result, facts) =>
      stopsAs('output')(result, facts) ??
      (result.stdout.length > 65_536 ? 'more came through than the cap' : undefined),
  },
  {
    name: 'stops a loop that swallows interrupts',
    request: { source: 'while (true) { try { while (true); } catch {} finally { continue } }', ...short },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops a builtin that never looks up',
    request: { source: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', ...short },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops a regular-expression bomb',
    request: { source: "/^(a+)+$/.test('a'.repeat(64) + 'b')", ...short },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops endless promises and timers',
    request: {
      source: 'setInterval(() => {}, 1); (function again() { Promise.resolve().then(again) })()',
      ...short,
    },
    escaped: stopsAs('timeout'),
  },
  {
    name: 'stops endless recursion',
    request: { source: 'function deeper() { return deeper() + 1 } deeper()', ...short },
    escaped: stopsAs('exception'),
  },
  {
    name: 'caps what is written to files',
    request: {
      source: "for (let i = 0; ; i++) sandbox.writeFile('f' + i, 'x'.repeat(1 << 20))",
      limits: { ...short.limits, fileBytes: 8 * 2 ** 20 },
    },
    escaped: stopsAs('exception', 'memory'),
  },
]
