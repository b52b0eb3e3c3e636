import git from 'isomorphic-git'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from './sandbox.ts'
import { createSession } from './session.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox({ workers: 1 })
})
afterAll(() => sandbox.close())

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('what one program writes, the next one and the shell see', async () => {
  const session = createSession(sandbox, {
    'data/in.txt': 'b\na\n',
    'gone.txt': 'x',
    'raw.bin': new Uint8Array([255, 0]),
  })
  const source =
    "const text = sandbox.readFile('data/in.txt'); sandbox.writeFile('data/out.txt', text.toUpperCase())"
  expect(await session.run({ language: 'javascript', source })).toMatchObject({ stopped: 'ok' })
  expect(await session.shell('sort data/out.txt | tee data/sorted.txt; rm gone.txt')).toMatchObject({
    stopped: 'ok',
    stdout: 'A\nB\n',
  })
  expect([...session.workspace.files().keys()].sort()).toEqual([
    'data/in.txt',
    'data/out.txt',
    'data/sorted.txt',
    'raw.bin',
  ])
  expect(session.workspace.read('/raw.bin')).toEqual(new Uint8Array([255, 0]))
})

test('a fork works on its own and the parent can go back', async () => {
  const session = createSession(sandbox, { 'x.txt': '1' })
  const start = session.snapshot()
  const fork = session.fork()
  await fork.shell('echo 2 > x.txt')
  await session.shell('echo 3 > x.txt; echo new > y.txt')
  expect(text(fork.workspace.read('/x.txt'))).toBe('2\n')
  expect(text(session.workspace.read('/x.txt'))).toBe('3\n')
  session.restore(start)
  expect((await session.shell('cat x.txt; ls')).stdout).toBe('1x.txt\n')
})

test('git commits on the workspace, and a fork has a history of its own', async () => {
  const session = createSession(sandbox, { 'a.txt': 'one' })
  const author = { name: 'A', email: 'a@example.com' }
  const commit = async (target: typeof session, message: string) => {
    await git.add({ fs: target.git, dir: '/', filepath: 'a.txt' })
    return git.commit({ fs: target.git, dir: '/', message, author })
  }
  await git.init({ fs: session.git, dir: '/' })
  await commit(session, 'first')
  const fork = session.fork()
  await fork.shell('echo two > a.txt')
  expect(await git.status({ fs: fork.git, dir: '/', filepath: 'a.txt' })).toBe('*modified')
  await commit(fork, 'second')
  expect((await git.log({ fs: fork.git, dir: '/' })).length).toBe(2)
  expect((await git.log({ fs: session.git, dir: '/' })).length).toBe(1)
})

test('the shell reaches neither the host nor a network nor an interpreter, and stops at its deadline', async () => {
  const session = createSession(sandbox)
  for (const command of [
    'cat /etc/passwd',
    'curl http://127.0.0.1',
    'python3 -c 1',
    'node -e 1',
    'js-exec 1',
    'cat /proc/1/environ',
  ]) {
    const result = await session.shell(command)
    expect([command, result.stopped]).toEqual([command, 'exception'])
  }
  expect((await session.shell('env')).stdout).not.toContain(process.env.PATH)
  const endless = await session.shell('while true; do sleep 1; done', { limits: { milliseconds: 300 } })
  expect(['timeout', 'exception']).toContain(endless.stopped)
  const flood = await session.shell('for i in $(seq 2000); do echo xxxxxxxxxxxxxxxxxxxx; done', {
    limits: { outputBytes: 1000 },
  })
  expect(flood).toMatchObject({ stopped: 'output' })
  expect(flood.stdout.length).toBe(1000)
})

test('a program over the workspace cannot leave it', async () => {
  const session = createSession(sandbox)
  session.workspace.link('/etc/passwd', '/link')
  expect(
    await session.run({ language: 'javascript', source: "sandbox.writeFile('../x', '1')" }),
  ).toMatchObject({ stopped: 'exception' })
  expect(session.workspace.paths()).toEqual(['/link'])
})
