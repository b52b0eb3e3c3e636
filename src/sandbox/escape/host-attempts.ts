/** What reaches for the host: its files, environment, processes, network and interpreter. */
import { type Attempt, contained, type HostFacts, javascript, python, short } from './attempt.ts'

export function pythonHostAttempts(facts: HostFacts): Attempt[] {
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
  ]
}

export function javascriptHostAttempts(facts: HostFacts): Attempt[] {
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
  ]
}
