// What Grafana's types say of our dashboards, and that they say it of broken ones.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { validator } from './schema.mjs'

const folder = path.join(process.cwd(), 'dashboards')
const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
const read = (name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'))
const errorsOf = validator()

/** A dashboard of ours after `breakIt`, which gets the first panel of the kind. */
function broken(kind, breakIt) {
  for (const dashboard of names.map(read)) {
    const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
    const panel = panels.find(({ type }) => type === kind)
    if (panel) {
      breakIt(panel, dashboard)
      return errorsOf(dashboard).join('\n')
    }
  }
  return assert.fail(`no dashboard has a ${kind}`)
}

for (const name of names) {
  test(`${name} is as Grafana's types have it`, () => assert.deepEqual(errorsOf(read(name)), []))
}

test('an option that a panel of this kind does not have is refused', () => {
  assert.match(broken('stat', ({ options }) => (options.colourMode = 'value')), /options must NOT .*: colourMode/)
})

test('a value that an option does not know is refused', () => {
  assert.match(broken('bargauge', ({ options }) => (options.displayMode = 'bright')), /options at \/displayMode/)
})

test('a custom setting of another kind of panel is refused', () => {
  assert.match(broken('table', ({ fieldConfig }) => (fieldConfig.defaults.custom = { lineWidth: 2 })), /custom must NOT .*: lineWidth/)
})

test('a custom setting where there is none is refused', () => {
  assert.match(broken('stat', ({ fieldConfig }) => (fieldConfig.defaults.custom = { width: 2 })), /custom/)
})

test('a field that a dashboard does not have is refused', () => {
  assert.match(broken('stat', (_, dashboard) => (dashboard.timePicker = {})), /must NOT .*: timePicker/)
})

test('a threshold without a colour is refused', () => {
  const breakIt = ({ fieldConfig }) => (fieldConfig.defaults.thresholds = { mode: 'absolute', steps: [{ value: 1 }] })
  assert.match(broken('stat', breakIt), /color/)
})

test('a kind of panel that nothing here knows is refused', () => {
  assert.match(broken('stat', (panel) => (panel.type = 'statt')), /'statt'/)
})
