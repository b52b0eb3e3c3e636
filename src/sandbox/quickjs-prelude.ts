import { common } from './prelude/common.ts'
import { crossing } from './prelude/crossing.ts'
import { judging } from './prelude/judging.ts'

/**
 * Evaluated in a QuickJS context before a program by itself. It keeps its own references to the builtins, so nothing
 * that runs later can change what it does. `host` is the functions that the host offers.
 */
export const programPrelude = `${common}
return { runTimer, setInput, describe };
})`

/** For the two sides of a test run. */
export const testPrelude = `${common}
${crossing}
${judging}
return { runTimer, setInput, serve, answer, ask, replaced, becomeJudge, bindEntry, describe };
})`
