import type { TestRequest } from '../types.ts'
import type { Cheat } from './cheat.ts'

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

/** Speaks to the judge itself, past this room's own code. */
const askTheJudge = `import json, os, struct
verdict = "import os; os.write(3, b'+' + b'{\\"passed\\": true, \\"reason\\": \\"passed\\", \\"message\\": \\"\\"}'); os._exit(0)"
def ask(operation, nodes):
    body = json.dumps({'ask': operation, 'value': {'nodes': nodes, 'roots': [[0], [1], [2]]}}).encode()
    os.write(5, struct.pack('>I', len(body)) + body)
    (length,) = struct.unpack('>I', os.read(4, 4))
    return json.loads(os.read(4, length))
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
  {
    name: 'writes answers before it is asked',
    solution:
      'import json, os, struct\nfor value in (5, 0.75):\n    body = json.dumps({"value": {"nodes": [], "roots": [value]}, "changed": []}).encode()\n    os.write(5, struct.pack(">I", len(body)) + body)\ndef add(a, b): return 0',
    reasons: ['tampered', 'exception'],
  },
  {
    name: 'writes half a message and waits',
    solution: "import os, time\nos.write(5, b'\\0\\0\\1\\0{')\ntime.sleep(9)\ndef add(a, b): return 0",
    reasons: ['timeout', 'exception'],
  },
  {
    name: 'answers from a forked child',
    solution:
      'import os\nwhile True:\n    try: os.fork()\n    except OSError: break\ndef add(a, b): return 0',
    reasons: ['failed', 'tampered', 'exception'],
  },
  {
    name: 'ends when an object is deleted',
    solution:
      'import os\nclass Last:\n    def __del__(self): os._exit(0)\ndef add(a, b):\n    Last()\n    return 0',
    reasons: ['tampered'],
  },
  {
    name: 'ends by a handler of exits or an alarm',
    solution:
      'import atexit, os, signal\natexit.register(os._exit, 0)\ntry:\n    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))\n    signal.setitimer(signal.ITIMER_REAL, 0.01)\nexcept AttributeError: os._exit(0)\ndef add(a, b):\n    while True: pass',
    reasons: ['tampered', 'timeout'],
  },
  {
    name: 'closes every descriptor',
    solution: 'import os\nos.closerange(0, 64)\ndef add(a, b): return 0',
    reasons: ['exception', 'failed', 'tampered', 'killed'],
  },
  {
    name: 'recurses without a limit',
    solution: 'import sys\nsys.setrecursionlimit(10 ** 9)\ndef add(a, b): return add(a, b)',
    reasons: ['timeout', 'memory', 'killed', 'exception'],
  },
  {
    name: 'returns a container that nests without end',
    solution: 'def add(a, b):\n    nested = []\n    nested.append(nested)\n    return nested',
    reasons: ['failed', 'exception'],
  },
  {
    name: 'returns a class that equals anything',
    solution:
      'class Meta(type):\n    def __eq__(self, other): return True\n    def __hash__(self): return 1\nclass Any(metaclass=Meta): pass\ndef add(a, b): return Any',
    reasons: ['tampered'],
  },
  {
    name: 'returns a list that equals anything',
    solution: 'class Any(list):\n    def __eq__(self, other): return True\ndef add(a, b): return Any([9])',
    reasons: ['failed', 'tampered'],
  },
  {
    name: 'returns a container that contains anything',
    solution: 'class All:\n    def __contains__(self, item): return True\ndef add(a, b): return All()',
    tests: 'assert 5 in add(2, 3)',
    reasons: ['tampered'],
  },
  {
    name: 'ends the iteration over the cases',
    solution: 'def add(a, b): raise StopIteration',
    tests: 'assert all(map(lambda case: add(*case) == sum(case), [(1, 2), (3, 4)]))',
    reasons: ['failed', 'exception'],
  },
  {
    name: 'reads the globals of a function of the tests',
    solution: 'def add(a, b):\n    return [v for v in b.__globals__.values() if type(v) is int][0]',
    tests: 'HIDDEN = 61234\nassert add(1, lambda x: x) == HIDDEN',
    reasons: ['exception'],
  },
  {
    name: 'reads the frame of a generator of the tests',
    solution: "def add(a, b): return b.gi_frame.f_globals['HIDDEN']",
    tests: 'HIDDEN = 61234\nassert add(1, (i for i in [1])) == HIDDEN',
    reasons: ['exception'],
  },
  {
    name: 'goes round attributes by special methods',
    solution:
      "def add(a, b):\n    peer = object.__getattribute__(b, '_peer')\n    return peer.ask('method', b, ['__getattribute__', '__globals__'])['HIDDEN']",
    tests: 'HIDDEN = 61234\nassert add(1, lambda x: x) == HIDDEN',
    reasons: ['exception'],
  },
  {
    name: 'asks the judge to run code for it',
    solution: `${askTheJudge}def add(a, b):
    found = ask('attribute', [['list', ['exec']], ['dict', []], ['module', 'builtins']])
    ask('call', [['list', [verdict]], ['dict', []], ['yours', found['value']['nodes'][0][1]]])
    return 0`,
    reasons: ['exception', 'tampered'],
  },
  {
    name: 'asks the judge to run code for it by what it finds on the stack',
    solution: `import builtins, sys
def add(a, b):
    frame = sys._getframe()
    while 'peer' not in frame.f_locals: frame = frame.f_back
    run = frame.f_locals['peer'].ask('attribute', builtins, ['exec'])
    run("import judge; judge.verify_integrity = lambda peer: None; judge.of_exception = lambda *_: None")
    return 0`,
    reasons: ['exception', 'tampered'],
  },
]
