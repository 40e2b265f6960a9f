// Draws each dashboard over each fleet in both themes, and tells what is not as it should be.

import path from 'node:path'
import { serve } from './backend.mjs'
import { openPage } from './draw.mjs'
import { FLEETS, SCRAPE_INTERVAL } from './world.mjs'

/** `bundle` is the folder of the page, `pictures` where to leave what was drawn. Returns the problems. */
export async function drawAll({ dashboards, prometheus, range, bundle, pictures, say }) {
  const problems = []
  const server = await serve({ folder: bundle, prometheus, scrapeInterval: SCRAPE_INTERVAL })
  try {
    const page = await openPage({ url: server.url, width: 1600, scrapeInterval: SCRAPE_INTERVAL })
    try {
      for (const dashboard of dashboards.map(withoutSmallestSteps)) {
        problems.push(...unknownOverrides(dashboard, page.customOptions))
        for (const { job, tenants } of FLEETS) {
          for (const mode of ['dark', 'light']) {
            const name = `${dashboard.uid}-${tenants}-${mode}`
            const screenshot = path.join(pictures, `${name}.png`)
            const drawn = await page.draw({ dashboard, mode, chosen: { job: [job] }, ...range, screenshot })
            problems.push(...drawn.errors.map((error) => `${name}: ${error}`))
            for (const panel of drawn.panels) {
              problems.push(...panel.errors.map((error) => `${name}: panel '${panel.title}' ${error}`))
              if (panel.empty) problems.push(`${name}: panel '${panel.title}' has no data`)
            }
            say(`${name}: ${drawn.panels.length} panels`)
          }
        }
      }
    } finally {
      await page.close()
    }
  } finally {
    server.close()
  }
  return problems
}

/** These fleets are polled every few seconds and drawn after a minute, which is less than a smallest step. */
function withoutSmallestSteps(dashboard) {
  return JSON.parse(JSON.stringify(dashboard), (key, value) => (key === 'targets' ? value.map(({ interval, ...rest }) => rest) : value))
}

/** Overrides of options that the panel does not have: Grafana drops them without a word. */
function unknownOverrides(dashboard, customOptions) {
  const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
  return panels.flatMap(({ title, type, fieldConfig }) =>
    (fieldConfig?.overrides ?? [])
      .flatMap(({ properties }) => properties)
      .filter(({ id }) => id.startsWith('custom.') && !customOptions[type]?.includes(id))
      .map(({ id }) => `${dashboard.uid}: panel '${title}' overrides '${id}', which a ${type} does not have`),
  )
}
