// Tells when a dashboard is drawn, and what is wrong with it then.

import { FieldType, LoadingState } from '@grafana/data'
import { QueryVariable, sceneGraph, SceneQueryRunner, VizPanel } from '@grafana/scenes'

const MOST_LEGEND_ENTRIES = 30
/** Heads and cells of tables, names of bars, entries of legends. */
const TEXTS = '[role="columnheader"], [role="gridcell"], [style*="ellipsis"], [data-testid^="data-testid VizLegend series"]'
/** What each of them must have place for. Some tenants' names are longer. */
const LONGEST_NAME = 30

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
const finished = (data) => data?.state === LoadingState.Done || data?.state === LoadingState.Error
const all = (scene, type) => sceneGraph.findAllObjects(scene, (object) => object instanceof type)

/** Waits until each variable, each query and each annotation has its answer, and what they show is painted. */
export async function settled(scene) {
  const panels = all(scene, VizPanel)
  const done = () =>
    all(scene, QueryVariable).every(({ state }) => !state.loading) &&
    all(scene, SceneQueryRunner).every(({ state }) => finished(state.data)) &&
    panels.every((panel) => finished(sceneGraph.getData(panel).state.data)) &&
    !document.querySelector('[aria-label="Panel loading bar"]')
  let quiet = 0
  while (quiet < 5) {
    await frame()
    quiet = done() ? quiet + 1 : 0
  }
  await document.fonts.ready
  await frame()
}

/** The panels as drawn, each with what is wrong with it, and what is wrong with the rest. */
export function inspect(scene) {
  const errors = []
  for (const { state } of all(scene, QueryVariable)) {
    if (state.error) errors.push(`variable '${state.name}': ${state.error.message ?? state.error}`)
    else if (state.options.length === 0) errors.push(`variable '${state.name}' has no values`)
  }
  for (const layer of scene.state.$data.state.layers) {
    const { data, name } = layer.state
    if (data?.state === LoadingState.Error) errors.push(`annotation '${name}': ${data.errors?.[0]?.message}`)
  }
  const panels = all(scene, VizPanel).map(inspectPanel)
  errors.push(...overlaps(panels))
  const { height } = document.getElementById('root').getBoundingClientRect()
  return { errors, panels: panels.map(({ title, errors, empty }) => ({ title, errors, empty })), height: Math.ceil(height) }
}

function inspectPanel(panel) {
  const { key, title } = panel.state
  const data = sceneGraph.getData(panel).state.data
  const errors = []
  const element = document.querySelector(`[data-viz-panel-key="${key}"]`)
  if (!element) return { title, errors: ['is not drawn'], empty: false }
  for (const error of data?.errors ?? []) errors.push(`is in error: ${error.message}`)
  if (element.querySelector('[role="alert"]')) errors.push(`shows an error: ${element.innerText.slice(0, 200)}`)
  if (element.innerText.includes('Panel plugin not found')) errors.push('has a type that is not drawn here')

  const header = element.querySelector('h2')
  if (header && isCut(header)) errors.push('has a title that is cut')
  const entries = element.querySelectorAll('[data-testid^="data-testid VizLegend series"]').length
  if (entries > MOST_LEGEND_ENTRIES) errors.push(`has a legend of ${entries} entries`)
  const cut = []
  for (const cell of element.querySelectorAll(TEXTS)) {
    if (cell.innerText.length <= LONGEST_NAME && isCut(cell)) cut.push(cell.innerText)
  }
  if (cut.length > 0) errors.push(`cuts ${cut.length} texts off, among them '${cut[0]}'`)
  const empty = !(data?.series ?? []).some(hasValue) || /\bNo data\b/.test(element.innerText)
  return { title, errors, empty, box: element.getBoundingClientRect() }
}

const hasValue = ({ fields }) =>
  fields.some(({ type, values }) => type !== FieldType.time && values.some((value) => value != null && !Number.isNaN(value)))

/** Whether some text in it is not to be seen in full: it reaches over the side of a box that hides what does not fit. */
function isCut(element) {
  const range = document.createRange()
  return [element, ...element.querySelectorAll('*')].some((box) => {
    if (getComputedStyle(box).overflowX === 'visible' || !box.innerText) return false
    range.selectNodeContents(box)
    const text = range.getBoundingClientRect()
    const { left, right } = box.getBoundingClientRect()
    return text.width > 0 && (box.scrollWidth > box.clientWidth + 1 || text.left < left - 1 || text.right > right + 1)
  })
}

function overlaps(panels) {
  const errors = []
  const drawn = panels.filter(({ box }) => box)
  drawn.forEach((a, index) => {
    for (const b of drawn.slice(0, index)) {
      const apart =
        a.box.right <= b.box.left || b.box.right <= a.box.left || a.box.bottom <= b.box.top || b.box.bottom <= a.box.top
      if (!apart) errors.push(`panel '${a.title}' covers '${b.title}'`)
    }
  })
  return errors
}
