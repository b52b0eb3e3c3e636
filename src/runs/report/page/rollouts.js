import { element, embedded, formatNumber, section } from './dom.js'

let tokenTexts = {}

const FILTERS = {
  all: ['All', () => true],
  failed: ['Failed (threw or timed out)', (one) => one.failure !== undefined],
  zero: ['Reward 0 or less', (one) => one.reward <= 0],
  positive: ['Reward above 0', (one) => one.reward > 0],
  truncated: ['Cut at the token limit', (one) => one.truncated === true],
  tools: ['With tool calls', (one) => (one.calls ?? []).some((call) => call.toolCalls?.length > 0)],
}

/** Rollouts by stage and step: a list to walk through, and the one chosen in full. */
export function rolloutsSection({ coverage, steps }, texts) {
  tokenTexts = texts
  if (coverage.length === 0) return []
  const state = { index: steps.length - 1, filter: 'all', query: '', chosen: 0, rollouts: [] }
  const list = element('ul.list', {
    role: 'listbox',
    tabindex: 0,
    'aria-label': 'Rollouts of this step',
    keydown: onKey,
  })
  const detail = element('div.detail', { 'aria-live': 'polite' })
  const count = element('p.muted', {})
  const stageSelect = select(
    'Stage',
    coverage.map(({ stage }) => [stage, stage]),
    (stage) => {
      state.index = steps.findLastIndex((one) => one.stage === stage)
      fillSteps()
      showStep()
    },
  )
  const stepSelect = select('Step', [], (index) => {
    state.index = Number(index)
    showStep()
  })
  const filterSelect = select(
    'Show',
    Object.entries(FILTERS).map(([key, [name]]) => [key, name]),
    (key) => {
      state.filter = key
      showList()
    },
  )
  const search = element('input', {
    type: 'search',
    placeholder: 'text, task',
    input: () => {
      state.query = search.value.toLowerCase()
      showList()
    },
  })

  function fillSteps() {
    const { stage } = steps[state.index]
    stageSelect.control.value = stage
    const own = steps.map((one, index) => [index, one]).filter(([, one]) => one.stage === stage)
    stepSelect.control.replaceChildren(
      ...own.map(([index, one]) => element('option', { value: index }, one.step)),
    )
    stepSelect.control.value = String(state.index)
  }

  function showStep() {
    state.rollouts = embedded(`rollouts-${state.index}`)
    state.chosen = 0
    showList()
  }

  function matching() {
    const [, keep] = FILTERS[state.filter]
    return state.rollouts.filter(
      (one) =>
        keep(one) &&
        (state.query === '' || JSON.stringify(withoutTokens(one)).toLowerCase().includes(state.query)),
    )
  }

  function showList() {
    const found = matching()
    state.chosen = Math.max(0, Math.min(state.chosen, found.length - 1))
    const { leftOut } = steps[state.index]
    count.textContent =
      `${found.length} of ${state.rollouts.length} rollouts` +
      (leftOut > 0 ? `; ${leftOut} more of this step are in the run's rollouts folder only` : '')
    const highest = Math.max(...state.rollouts.map((one) => Math.abs(one.reward) || 0), Number.MIN_VALUE)
    list.replaceChildren(...found.map((one, index) => listItem(one, index, highest)))
    choose(state.chosen, found)
  }

  function listItem(one, index, highest) {
    const bar = element('i.bar', { 'aria-hidden': 'true' })
    bar.style.width = `${(100 * Math.max(0, one.reward || 0)) / highest}%`
    return element(
      'li',
      {
        role: 'option',
        id: `rollout-${index}`,
        'aria-selected': 'false',
        click: () => choose(index, matching()),
      },
      element('span.task', {}, `${one.taskId ?? 'sample'} #${one.sample ?? index}`),
      badges(one),
      element('span.reward', {}, element('span.track', {}, bar), formatNumber(one.reward)),
    )
  }

  function choose(index, found) {
    state.chosen = index
    for (const [i, item] of [...list.children].entries())
      item.setAttribute('aria-selected', String(i === index))
    const item = list.children[index]
    if (!item) {
      list.removeAttribute('aria-activedescendant')
      detail.replaceChildren(element('p.muted', {}, 'No rollout of this step is like that.'))
      return
    }
    list.setAttribute('aria-activedescendant', item.id)
    const hidden =
      item.offsetTop < list.scrollTop ||
      item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight
    if (hidden) list.scrollTop = item.offsetTop - list.clientHeight / 2
    detail.replaceChildren(...rolloutDetail(found[index]))
    detail.scrollTop = 0
  }

  function onKey(event) {
    const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }
    const found = matching()
    const next =
      { Home: 0, End: found.length - 1 }[event.key] ?? state.chosen + (moves[event.key] ?? Number.NaN)
    if (Number.isNaN(next)) return
    event.preventDefault()
    choose(Math.max(0, Math.min(found.length - 1, next)), found)
  }

  fillSteps()
  showStep()
  const missing = coverage
    .filter(({ steps: all, shownSteps, withoutTokens }) => all > shownSteps || withoutTokens)
    .map(
      ({ stage, steps: all, shownSteps, withoutTokens }) =>
        `${stage}: ${shownSteps} of ${all} steps are in this page${withoutTokens ? ', long rollouts without their tokens' : ''}.`,
    )
  return [
    section(
      'Rollouts',
      missing.length > 0 &&
        element('p.muted', {}, `${missing.join(' ')} All are in the run's rollouts folder.`),
      element(
        'div.controls',
        {},
        stageSelect.label,
        stepSelect.label,
        filterSelect.label,
        element('label', {}, 'Find ', search),
      ),
      count,
      element('div.browser', {}, list, detail),
    ),
  ]
}

function select(name, options, onChange) {
  const control = element(
    'select',
    { change: () => onChange(control.value) },
    options.map(([value, text]) => element('option', { value }, text)),
  )
  return { control, label: element('label', {}, `${name} `, control) }
}

function withoutTokens({ segments: _, tokens: __, logprobs: ___, ...rest }) {
  return rest
}

function badges(one) {
  return [
    one.failure !== undefined && element('span.badge.bad', {}, 'failed'),
    one.truncated && element('span.badge', {}, 'cut'),
    one.prefixBreaks > 0 && element('span.badge', {}, `${one.prefixBreaks} prefix breaks`),
    one.attempts > 1 && element('span.badge', {}, `${one.attempts} attempts`),
  ]
}

function rolloutDetail(one) {
  const parts = Object.entries(one.parts ?? {})
  const children = [
    element('h3', {}, `${one.taskId ?? 'sample'} #${one.sample ?? ''} `, badges(one)),
    element(
      'dl.rewards',
      {},
      [['reward', one.reward], ...parts, ...advantageOf(one)].map(([name, value]) =>
        element('div', {}, element('dt', {}, name), element('dd', {}, formatNumber(value))),
      ),
    ),
    one.failure !== undefined && element('pre.failure', {}, String(one.failure)),
  ]
  if (Array.isArray(one.calls)) children.push(...one.calls.flatMap(callParts))
  else {
    const { reward: _, parts: __, failure: ___, ...rest } = withoutTokens(one)
    if (typeof rest.text === 'string') children.push(message('answer', rest.text, 'assistant'))
    children.push(
      element(
        'details',
        {},
        element('summary', {}, 'As JSON'),
        element('pre', {}, JSON.stringify(rest, null, 2)),
      ),
    )
  }
  const segments = Array.isArray(one.segments) ? one.segments : Array.isArray(one.tokens) ? [one] : []
  if (segments.length > 0) children.push(tokensOnDemand(segments))
  return children.filter(Boolean)
}

/** Where it is one number for all tokens. */
function advantageOf({ advantage }) {
  return typeof advantage === 'number' ? [['advantage', advantage]] : []
}

function callParts(call) {
  const about = [
    `${formatNumber(call.promptTokens)} prompt tokens`,
    `${formatNumber(call.tokens)} drawn`,
    `ended by ${call.stopReason}`,
  ].join(', ')
  return [
    ...(call.messages ?? []).map((one) => message(one.role ?? 'message', contentOf(one), one.role)),
    call.reasoning ? message('reasoning', call.reasoning, 'reasoning') : null,
    message('assistant', call.text ?? '', 'assistant', about),
    ...(call.toolCalls ?? []).map((tool) =>
      message(
        `calls ${tool.name ?? tool.toolName ?? 'a tool'}`,
        JSON.stringify(tool.arguments ?? tool, null, 2),
        'tool',
      ),
    ),
  ].filter(Boolean)
}

function contentOf({ content, toolCalls, tool_calls: calls = toolCalls }) {
  const text = typeof content === 'string' ? content : content == null ? '' : JSON.stringify(content, null, 2)
  return calls?.length ? `${text}${text ? '\n' : ''}${JSON.stringify(calls, null, 2)}` : text
}

function message(title, text, role, about) {
  return element(
    `div.message.${/^[a-z]+$/.test(role ?? '') ? role : 'other'}`,
    {},
    element('header', {}, title, about && element('span.muted', {}, about)),
    element('pre', {}, text),
  )
}

/** Tokens, shaded by how unlikely each drawn one was; made when asked for. */
function tokensOnDemand(segments) {
  const body = element('div', {})
  const details = element(
    'details',
    {
      toggle: () => {
        if (!details.open || body.hasChildNodes()) return
        body.append(...segments.map((segment) => element('p.tokens', {}, tokenSpans(segment))))
      },
    },
    element('summary', {}, 'Tokens'),
    element(
      'p.muted',
      {},
      'The darker a drawn token, the less likely it was. Pale ones were given, not drawn.',
    ),
    body,
  )
  return details
}

function tokenSpans({ tokens, mask, logprobs = [], versions = [] }) {
  return tokens.map((token, i) => {
    const isDrawn = mask ? mask[i] === 1 : true
    const span = element(isDrawn ? 'span' : 'span.given', {}, readable(tokenTexts[token] ?? '', token))
    span.title = `token ${token}`
    if (isDrawn && logprobs[i] !== undefined) {
      const version = versions[i] >= 0 ? `, policy version ${versions[i]}` : ''
      span.title += `, log-probability ${formatNumber(logprobs[i])}${version}`
      span.style.setProperty('--surprise', Math.min(1, -logprobs[i] / 6).toFixed(2))
    }
    return span
  })
}

/** White space made visible; the id where a token alone is no text, as with half a character. */
function readable(text, token) {
  if (text === '' || text.includes('\ufffd')) return `#${token}`
  return text.trim() === '' ? JSON.stringify(text).slice(1, -1).replaceAll(' ', '␣') : text
}
