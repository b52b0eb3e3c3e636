/** The oldest Node that runs this; package.json's `engines` says the same. */
const minimum = [22, 18] as const

/** What is wrong with a version of Node such as `20.20.2`, and how to mend it; undefined where nothing is. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return undefined
  return (
    `this is Node ${version}, which is too old; Node ${minimum.join('.')} or newer is needed. ` +
    'Install one from https://nodejs.org, or run the command through npx, which takes the Node that was installed with it'
  )
}
