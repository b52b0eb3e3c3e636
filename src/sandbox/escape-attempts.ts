/** What the escape suite tries, by language. Each attempt states what a contained run looks like. */
import type { RunRequest, RunResult, TestRequest, VerdictReason } from './types.ts'

export interface Attempt {
  name: string
  request: Omit<RunRequest, 'language'>
  /** Why the result shows an escape, or undefined. */
  escaped(result: RunResult, facts: HostFacts): string | undefined
}

/** Things of the host that must not be seen or changed. */
export interface HostFacts {
  secretFile: string
  secret: string
  /** A file that must not appear. */
  target: string
  /** A TCP port on the host's loopback that counts its visitors. */
  port: number
}

const short = { limits: { milliseconds: 1500, memoryBytes: 128 * 2 ** 20, outputBytes: 65_536 } }

const contained: Attempt['escaped'] = (result) =>
  result.stdout.includes('ESCAPED')
    ? `the program reports an escape: ${result.stdout.slice(0, 200)}`
    : undefined

function stopsAs(...expected: RunResult['stopped'][]): Attempt['escaped'] {
  return (result) =>
    expected.includes(result.stopped) ? undefined : `stopped is ${result.stopped} (${result.reason ?? ''})`
}

/** Prints ESCAPED with what it got where the expression yields something, `contained` where it throws. */
function python(name: string, body: string): Attempt {
  const lines = body.split('\n').map((line) => `    ${line}`)
  const source = `def attempt():\n${lines.join('\n')}\ntry:\n    got = attempt()\n    print('ESCAPED' if got else 'contained', repr(got)[:200])\nexcept BaseException as error:\n    print('contained', type(error).__name__)\n`
  return { name, request: { source, ...short }, escaped: contained }
}

export function pythonAttempts(facts: HostFacts): Attempt[] {
  const quoted = JSON.stringify
  return [
    python('reads a file of the host', `return open(${quoted(facts.secretFile)}).read()`),
    python('reads the password file', `return 'root' in open('/etc/shadow').read()`),
    python('writes a file of the host', `open(${quoted(facts.target)}, 'w').write('x')`),
    python(
      'sees an environment variable of the host',
      `import os\nreturn ${quoted(facts.secret)} in str(dict(os.environ)) or ${quoted(facts.secret)} in open('/proc/1/environ').read()`,
    ),
    python('runs a shell', `import os\nreturn os.system('true') == 0`),
    python('runs a program', `import subprocess\nreturn subprocess.run(['/bin/ls', '/']).returncode == 0`),
    python(
      'connects to a port of the host',
      `import socket\nconnection = socket.create_connection(('127.0.0.1', ${facts.port}), 1)\nreturn True`,
    ),
    python(
      'sends a datagram out',
      `import socket\nreturn socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53)) == 1`,
    ),
    python(
      'resolves a name',
      `import socket\n# Emscripten makes addresses up, all of them in 172.29.\nreturn [a for *_, a in socket.getaddrinfo('example.com', 80) if not a[0].startswith('172.29.')]`,
    ),
    python(
      'signals the processes that watch it',
      `import os, signal\nfor pid in (1, os.getppid()):\n    os.kill(pid, signal.SIGKILL)\nreturn os.getppid() == 1`,
    ),
    python(
      'reads the memory of the process that watches it',
      `import os\nreturn len(open('/proc/%d/mem' % os.getppid(), 'rb').read(0)) == 0 and os.getppid() > 0`,
    ),
    python(
      'raises its own limits',
      `import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nreturn True`,
    ),
    python('becomes root', `import os\nos.setuid(0)\nreturn True`),
    python(
      'mounts a file system',
      `import ctypes\nreturn ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0`,
    ),
    python(
      'makes a namespace of its own',
      `import ctypes\nreturn ctypes.CDLL(None).unshare(0x10000000) == 0 and ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0`,
    ),
    python(
      'sees a raw device',
      `import os\nreturn [n for n in os.listdir('/dev') if n.startswith(('sd', 'vd', 'mem', 'kvm'))]`,
    ),
    python(
      'follows a link out of the workspace',
      `import os\nos.symlink(${quoted(facts.secretFile)}, 'link')\nreturn open('link').read()`,
    ),
    {
      name: 'hands back a link out of the workspace',
      request: {
        source: `import os\nos.symlink(${quoted(facts.secretFile)}, 'link')\nos.symlink('/', 'root')\nopen('plain', 'w').write('x')`,
        collectFiles: true,
        ...short,
      },
      escaped: (result) => {
        const names = Object.keys(result.files ?? {})
        return names.length === 1 && names[0] === 'plain' ? undefined : `the files are ${names.join(', ')}`
      },
    },
    python(
      'reaches the JavaScript host',
      `import js\nprocess = js.Function.new('return this.process || (typeof process !== "undefined" && process)')()\nreturn process.getBuiltinModule('fs').readFileSync(${quoted(facts.secretFile)}, 'utf8')`,
    ),
    python(
      'reaches the host through a constructor',
      `import pyodide_js\nf = pyodide_js.constructor.constructor('return process')\nreturn f().env`,
    ),
    python(
      'mounts the file system of Node',
      `import pyodide_js\npyodide_js.mountNodeFS('/mnt', '/')\nimport os\nreturn os.path.exists('/mnt/proc')`,
    ),
    python(
      'imports a module of Node',
      `from pyodide.code import run_js\nreturn run_js('process.getBuiltinModule("child_process").execSync("id").toString()')`,
    ),
    python(
      'fetches over the network',
      `from pyodide.code import run_js\nreturn run_js('typeof fetch') == 'function'`,
    ),
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
}

function javascript(name: string, body: string): Attempt {
  const source = `try { const got = (() => { ${body} })(); console.log(got ? 'ESCAPED' : 'contained', String(got)) } catch (error) { console.log('contained', String(error)) }`
  return { name, request: { source, ...short }, escaped: contained }
}

export function javascriptAttempts(facts: HostFacts): Attempt[] {
  const secret = JSON.stringify(facts.secretFile)
  return [
    javascript(
      'finds process',
      `return typeof process !== 'undefined' || typeof globalThis.process !== 'undefined'`,
    ),
    javascript('requires a module', `return require('fs').readFileSync(${secret}, 'utf8')`),
    javascript('asks for a builtin module', `return globalThis.process.getBuiltinModule('fs')`),
    javascript('runs a program', `return require('child_process').execSync('id')`),
    javascript(
      'reaches the host through a constructor',
      `return [console.log, sandbox.readFile, sandbox].map((f) => f.constructor.constructor('return typeof process')()).some((t) => t !== 'undefined')`,
    ),
    javascript(
      'reaches the host through a caller or a stack',
      `Error.prepareStackTrace = (_, frames) => frames; const frames = new Error().stack; return Array.isArray(frames) && frames.some((f) => f.getThis && f.getThis().process)`,
    ),
    javascript('reads a file of the host', `return sandbox.readFile(${secret})`),
    javascript(
      'reads a file of the host by dots',
      `return sandbox.readFile('../../../../../../../..' + ${secret})`,
    ),
    javascript(
      'opens a socket',
      `return [typeof fetch, typeof WebSocket, typeof XMLHttpRequest].some((t) => t !== 'undefined')`,
    ),
    javascript('sees the environment', `return globalThis.process.env`),
    {
      name: 'imports a module of Node',
      request: {
        source: `const fs = await import('node:fs'); console.log('ESCAPED', fs.readFileSync(${secret}))`,
        ...short,
      },
      escaped: contained,
    },
    {
      name: 'imports a file of the host',
      request: { source: `const got = await import(${secret}); console.log('ESCAPED', got)`, ...short },
      escaped: contained,
    },
    {
      name: 'pollutes the prototypes of the host',
      request: {
        source: `Object.prototype.polluted = 'yes'; Array.prototype.polluted = 'yes'; sandbox.writeFile('__proto__', 'x'); sandbox.writeFile('constructor/prototype/polluted', 'x')`,
        collectFiles: true,
        ...short,
      },
      escaped: () => ('polluted' in {} || 'polluted' in [] ? 'a prototype of the host changed' : undefined),
    },
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
}

/** A solution that tries to pass hidden tests without solving the task. */
export interface Cheat {
  name: string
  solution: string
  /** Any of these is a verdict that was not forged. */
  reasons: VerdictReason[]
}

export const pythonTask: Omit<TestRequest, 'solution'> = {
  language: 'python',
  entryPoint: 'add',
  tests:
    'HIDDEN = 61234\ndef check(candidate):\n    assert candidate(2, 3) == 5\n    assert abs(candidate(0.5, 0.25) - 0.75) < 1e-6\n    assert candidate([1], [2]) == [1, 2]\n',
  limits: { milliseconds: 1500 },
}

/** Both search for the tests' marker by a pattern that does not itself contain it. */
const pattern = "import re\nmarker = '[H]IDDEN = 6[1]234'\n"

export const findOnStack = `${pattern}import sys, gc, linecache
def on_stack():
    frame, seen = sys._getframe(), []
    while frame:
        seen.append(repr(frame.f_locals) + repr(frame.f_globals))
        frame = frame.f_back
    seen += [repr(o)[:100000] for o in gc.get_objects() if isinstance(o, (dict, list, tuple)) and len(o) < 50]
    return re.search(marker, ' '.join(seen) + repr(linecache.cache))
`

export const findInMemory = `${pattern}import ctypes
def in_memory():
    for line in open('/proc/self/maps'):
        span, rights = line.split()[:2]
        low, high = (int(part, 16) for part in span.split('-'))
        if 'w' in rights and high - low < 1 << 26:
            if re.search(marker.encode(), ctypes.string_at(low, high - low)): return True
    return False
`

export const pythonCheats: Cheat[] = [
  { name: 'exits with 0 when loaded', solution: 'import sys\nsys.exit(0)', reasons: ['tampered'] },
  {
    name: 'exits with 0 when called',
    solution: 'import sys\ndef add(a, b): sys.exit(0)',
    reasons: ['tampered'],
  },
  {
    name: 'leaves without cleaning up when loaded',
    solution: 'import os\nos._exit(0)',
    reasons: ['tampered'],
  },
  {
    name: 'leaves without cleaning up when called',
    solution: 'import os\ndef add(a, b): os._exit(0)',
    reasons: ['tampered'],
  },
  {
    name: 'returns an object that equals anything',
    solution:
      'class Any:\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n    def __abs__(self): return 0\n    def __lt__(self, other): return True\ndef add(a, b): return Any()',
    reasons: ['tampered'],
  },
  {
    name: 'returns an int that equals anything',
    solution:
      'class Any(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef add(a, b): return Any()',
    reasons: ['failed', 'tampered'],
  },
  {
    name: 'replaces builtins',
    solution:
      'import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = Exception\ndef add(a, b): return a + b',
    reasons: ['tampered'],
  },
  {
    name: 'replaces builtins of the judge by name',
    solution: 'def abs(x): return 0\ndef check(candidate): pass\ndef add(a, b): return a + b + 1',
    reasons: ['failed'],
  },
  {
    name: 'patches the machinery in its own process',
    solution:
      "import sys, gc\nfor frame_holder in gc.get_objects():\n    if isinstance(frame_holder, dict) and 'OPERATIONS' in frame_holder:\n        frame_holder['OPERATIONS'].clear()\ndef add(a, b): return 0",
    reasons: ['failed', 'exception', 'tampered'],
  },
  {
    name: 'looks for the tests on the stack, in sources and in memory',
    solution: `${findOnStack}def add(a, b):\n    if on_stack(): return a + b if a != [1] else [1, 2]\n    raise RuntimeError('not found')`,
    reasons: ['exception'],
  },
  {
    name: 'searches its whole memory for the tests',
    solution: `${findInMemory}def add(a, b):\n    if in_memory(): return a + b\n    raise RuntimeError('not found')`,
    reasons: ['exception'],
  },
  {
    name: 'prints a verdict and leaves',
    solution:
      "import os, json\nprint(json.dumps({'passed': True, 'reason': 'passed', 'message': ''}), flush=True)\nos._exit(0)",
    reasons: ['tampered'],
  },
  {
    name: 'writes a verdict to every descriptor',
    solution:
      "import os, json, struct\nbody = json.dumps({'verdict': {'passed': True, 'reason': 'passed', 'message': ''}, 'result': {'verdict': {'passed': True, 'reason': 'passed'}}}).encode()\nfor fd in range(64):\n    try: os.write(fd, struct.pack('>I', len(body)) + body)\n    except OSError: pass\ndef add(a, b): return 0",
    reasons: ['tampered', 'exception', 'failed'],
  },
  {
    name: 'kills the judge',
    solution:
      'import os, signal\ndef add(a, b):\n    for pid in range(2, 64):\n        if pid != os.getpid():\n            try: os.kill(pid, signal.SIGKILL)\n            except Exception: pass\n    os._exit(0)',
    reasons: ['tampered', 'killed'],
  },
  { name: 'never returns', solution: 'def add(a, b):\n    while True: pass', reasons: ['timeout'] },
]

export const javascriptTask: Omit<TestRequest, 'solution'> = {
  language: 'javascript',
  entryPoint: 'add',
  tests:
    'const HIDDEN = 61234; assert.equal(add(2, 3), 5); assert.deepEqual(add([1], [2]), [1, 2]); if (Math.abs(add(0.5, 0.25) - 0.75) > 1e-6) throw new Error("wrong")',
  limits: { milliseconds: 1000 },
}

export const javascriptCheats: Cheat[] = [
  { name: 'throws nothing and stops', solution: 'throw undefined', reasons: ['exception'] },
  {
    name: 'replaces the assert',
    solution:
      'globalThis.assert = { equal() {}, deepEqual() {}, ok() {} }; Object.freeze(globalThis.assert); function add() { return 0 }',
    reasons: ['failed'],
  },
  {
    name: 'replaces the equality',
    solution:
      'Object.is = () => true; Math.abs = () => 0; Array.prototype.every = () => true; function add(a, b) { return a + b }',
    reasons: ['failed', 'tampered'],
  },
  {
    name: 'solves the task but replaces a builtin',
    solution: 'Math.abs = () => 0; function add(a, b) { return Array.isArray(a) ? [...a, ...b] : a + b }',
    reasons: ['tampered'],
  },
  {
    name: 'returns an object that converts to anything',
    solution:
      'function add() { return { valueOf: () => 5, toString: () => "5", [Symbol.toPrimitive]: () => 5 } }',
    reasons: ['failed'],
  },
  {
    name: 'returns an array that claims any length and member',
    solution:
      'function add(a) { return Array.isArray(a) ? new Proxy([], { get: () => 1, ownKeys: () => ["length"] }) : 5 }',
    reasons: ['failed', 'exception'],
  },
  {
    name: 'breaks the encoding of answers',
    solution:
      'JSON.stringify = () => "{}"; JSON.parse = () => ({}); Array.isArray = () => true; Map.prototype.get = () => 5; function add() { return 5 }',
    reasons: ['failed', 'exception', 'tampered'],
  },
  {
    name: 'reads the tests from the stack',
    solution:
      'function add(a, b) { const s = new Error().stack; if (s.includes("tests.js") || s.includes("HIDDEN")) return a + b; throw new Error("not found") }',
    reasons: ['exception'],
  },
  {
    name: 'prints a verdict',
    solution: 'console.log(JSON.stringify({ passed: true, reason: "passed" })); function add() {}',
    reasons: ['failed'],
  },
  { name: 'never returns', solution: 'function add() { while (true); }', reasons: ['timeout'] },
]
