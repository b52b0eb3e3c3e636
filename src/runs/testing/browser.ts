import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The path of a Chromium on this machine, or of the one that WHETSTONE_CHROMIUM names. */
export function findBrowser(): string | undefined {
  const candidates = process.env.WHETSTONE_CHROMIUM ? [process.env.WHETSTONE_CHROMIUM] : NAMES
  return candidates.find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore', timeout: 10_000 }).status === 0,
  )
}

export interface Page {
  /** The value of an expression in the page, through JSON. */
  evaluate<T>(expression: string): Promise<T>
  press(key: string): Promise<void>
  emulate(settings: { scheme?: 'light' | 'dark'; width?: number; height?: number }): Promise<void>
  screenshot(path: string): Promise<void>
  /** Errors and warnings of the console, exceptions, and addresses asked for beside the page itself. */
  complaints: string[]
  close(): Promise<void>
}

/** Opens an address in a headless Chromium over its debugging protocol. */
export async function openPage(browser: string, url: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'whetstone-browser-'))
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
  ]
  const child = spawn(browser, [...flags, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const socket = new WebSocket(await pageAddress(await debuggerPort(child)))
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  const waiting = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>()
  const complaints: string[] = []
  let loaded = () => {}
  socket.onmessage = ({ data }) => {
    const { id, method, params, ...answer } = JSON.parse(data as string)
    if (id !== undefined) waiting.get(id)?.(answer)
    else if (method === 'Page.loadEventFired') loaded()
    else if (method === 'Runtime.exceptionThrown')
      complaints.push(params.exceptionDetails.exception?.description)
    else if (method === 'Log.entryAdded') complaints.push(params.entry.text)
    else if (method === 'Network.requestWillBeSent' && params.request.url !== url)
      complaints.push(`asked for ${params.request.url}`)
  }
  let next = 1
  const send = async <T>(method: string, params: object = {}): Promise<T> => {
    const id = next++
    const answer = new Promise<{ result?: unknown; error?: { message: string } }>((resolve) => {
      waiting.set(id, resolve)
    })
    socket.send(JSON.stringify({ id, method, params }))
    const { result, error } = await answer
    if (error) throw new Error(`${method}: ${error.message}`)
    return result as T
  }
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`)
  const done = new Promise<void>((resolve) => {
    loaded = resolve
  })
  await send('Page.navigate', { url })
  await done
  return {
    complaints,
    async evaluate<T>(expression: string) {
      const { result, exceptionDetails } = await send<{
        result: { value: T }
        exceptionDetails?: { exception?: { description: string } }
      }>('Runtime.evaluate', { expression, returnByValue: true })
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description)
      return result.value
    },
    async press(key) {
      for (const type of ['keyDown', 'keyUp']) await send('Input.dispatchKeyEvent', { type, key })
    },
    async emulate({ scheme = 'light', width = 1280, height = 900 }) {
      await send('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: scheme }],
      })
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
      await new Promise((resolve) => setTimeout(resolve, 100))
    },
    async screenshot(path) {
      const { data } = await send<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true })
      await writeFile(path, Buffer.from(data, 'base64'))
    },
    async close() {
      socket.close()
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Chromium writes the address of its debugger to stderr. */
async function debuggerPort(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
    text += chunk
    const found = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)
    if (found) {
      child.stderr?.resume()
      return found[1] as string
    }
  }
  throw new Error(`the browser did not start: ${text}`)
}

async function pageAddress(port: string): Promise<string> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    type: string
    webSocketDebuggerUrl: string
  }[]
  return targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl as string
}
