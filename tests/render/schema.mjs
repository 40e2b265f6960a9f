// Holds dashboards to Grafana's own types: a JSON Schema is made of those in types.ts. That of a dashboard says nothing
// of what is special to one kind of panel, so each panel's options and custom settings are held to those of its kind.

import path from 'node:path'
import Ajv from 'ajv'
import { createGenerator } from 'ts-json-schema-generator'

const HERE = import.meta.dirname
const MOST_ERRORS = 20

/** Returns a function that tells what is wrong with a dashboard, in sentences. */
export function validator() {
  const made = createGenerator({
    path: path.join(HERE, 'types.ts'),
    tsconfig: path.join(HERE, 'tsconfig.json'),
    type: 'Types',
    // Each type in its place: some have one name and are not the same.
    expose: 'none',
    topRef: false,
    skipTypeCheck: true,
  }).createSchema('Types')
  const { definitions } = made
  const ajv = new Ajv({ allErrors: true, strict: false })
  const compile = (schema) => ajv.compile({ definitions, ...schema })
  const { dashboard, ...kinds } = made.properties
  const whole = compile(dashboard)
  const panels = Object.fromEntries(
    Object.entries(kinds).map(([kind, { properties }]) => [
      kind,
      { options: compile(properties.options), custom: compile(properties.custom) },
    ]),
  )
  return (value) => {
    const errors = errorsOf(whole, value, 'the dashboard')
    for (const panel of panelsOf(value)) {
      const where = `panel '${panel.title}'`
      const kind = panels[panel.type]
      if (kind) {
        errors.push(...errorsOf(kind.options, panel.options ?? {}, `${where}, options`))
        errors.push(...errorsOf(kind.custom, panel.fieldConfig?.defaults?.custom ?? {}, `${where}, custom`))
      } else if (panel.type !== 'row') {
        errors.push(`${where} is of the type '${panel.type}', which is not in types.ts`)
      }
    }
    return errors.slice(0, MOST_ERRORS)
  }
}

const panelsOf = ({ panels = [] }) => panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])

function errorsOf(validate, value, where) {
  if (validate(value)) return []
  return validate.errors.map(({ instancePath, message, params }) => {
    const detail = params.additionalProperty ?? params.allowedValue ?? params.allowedValues?.join(', ')
    return `${where}${instancePath && ` at ${instancePath}`} ${message}${detail === undefined ? '' : `: ${detail}`}`
  })
}
