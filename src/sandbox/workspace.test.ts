import { expect, test } from 'vitest'
import { createWorkspace } from './workspace.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('a fork and its parent do not see each other change, in old or new directories', () => {
  const parent = createWorkspace()
  parent.makeDirectory('/a/b', true)
  parent.write('/a/b/file', 'old')
  const child = parent.fork()
  parent.write('/a/b/file', 'parent')
  child.write('/a/b/other', 'child')
  child.remove('/a/b/file')
  expect(text(parent.read('/a/b/file'))).toBe('parent')
  expect(parent.exists('/a/b/other')).toBe(false)
  expect(child.paths().sort()).toEqual(['/a', '/a/b', '/a/b/other'])
})

test('a snapshot can be gone back to more than once', () => {
  const workspace = createWorkspace()
  workspace.write('/file', 'one')
  const snapshot = workspace.snapshot()
  for (const change of ['two', 'three']) {
    workspace.write('/file', change)
    workspace.write(`/${change}`, change)
    workspace.restore(snapshot)
    expect(text(workspace.read('/file'))).toBe('one')
    expect(workspace.paths()).toEqual(['/file'])
  }
})

test('no path and no link leads out of the workspace', () => {
  const workspace = createWorkspace()
  workspace.write('/inside', 'x')
  workspace.link('../../../../inside', '/up')
  workspace.link('/etc/passwd', '/absolute')
  expect(text(workspace.read('/../../inside'))).toBe('x')
  expect(text(workspace.read('/up'))).toBe('x')
  expect(() => workspace.read('/absolute')).toThrow('ENOENT')
})

test('links that go round are refused, not followed for ever', () => {
  const workspace = createWorkspace()
  workspace.link('/b', '/a')
  workspace.link('/a', '/b')
  expect(() => workspace.read('/a')).toThrow('ELOOP')
})

test('room that is freed can be used again, and no more than the cap', () => {
  const workspace = createWorkspace(undefined, { bytes: 10, entries: 4 })
  workspace.makeDirectory('/d')
  workspace.write('/d/x', '12345678')
  expect(() => workspace.write('/y', '123')).toThrow('ENOSPC')
  workspace.write('/d/x', '1')
  workspace.write('/y', '123456789')
  expect(() => workspace.write('/z', '')).toThrow('ENOSPC')
  workspace.remove('/d', { recursive: true })
  workspace.write('/z', '1')
})

test('the misuses that Node refuses are refused with the same codes', () => {
  const workspace = createWorkspace()
  workspace.makeDirectory('/d/e', true)
  workspace.write('/f', '')
  expect(() => workspace.read('/d')).toThrow('EISDIR')
  expect(() => workspace.read('/f/x')).toThrow('ENOTDIR')
  expect(() => workspace.write('/missing/x', '')).toThrow('ENOENT')
  expect(() => workspace.makeDirectory('/d')).toThrow('EEXIST')
  expect(() => workspace.makeDirectory('/f', true)).toThrow('EEXIST')
  expect(() => workspace.remove('/d')).toThrow('ENOTEMPTY')
  expect(() => workspace.remove('/')).toThrow()
  expect(() => workspace.move('/d', '/d/e/f')).toThrow('EINVAL')
  expect(() => workspace.readLink('/f')).toThrow('EINVAL')
})
