// Elements are made of text nodes and properties alone: nothing of a rollout is ever parsed as HTML.

const SVG = 'http://www.w3.org/2000/svg'

/** `element('td.number', { title }, 'text', child)`; classes follow dots. */
export function element(description, attributes = {}, ...children) {
  return build(document.createElement(description.split('.')[0]), description, attributes, children)
}

export function svgElement(description, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, description.split('.')[0]), description, attributes, children)
}

function build(node, description, attributes, children) {
  const [, ...classes] = description.split('.')
  if (classes.length > 0) node.setAttribute('class', classes.join(' '))
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value)
    else if (value === true) node.setAttribute(name, '')
    else if (value !== false && value !== undefined) node.setAttribute(name, String(value))
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false))
  return node
}

export function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent)
}

export function formatNumber(value) {
  if (value === undefined || value === null) return '–'
  if (Number.isInteger(value)) return value.toLocaleString('en')
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  if (size >= 0.001) return String(Number(value.toPrecision(4)))
  return value.toExponential(2)
}

export function formatDuration(seconds) {
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}

export function formatBytes(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(0)} MB`
}

export function section(title, ...children) {
  const id = title.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...children)
}

/** A table that scrolls by itself where the screen is narrower. */
export function table(headings, rows) {
  return element(
    'div.scroll',
    { tabindex: 0, role: 'region', 'aria-label': headings.map(String).join(', ') },
    element(
      'table',
      {},
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          headings.map((text) => element('th', { scope: 'col' }, text)),
        ),
      ),
      element('tbody', {}, rows),
    ),
  )
}
