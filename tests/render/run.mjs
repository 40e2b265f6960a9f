// Draws each dashboard, over fleets of 1, 20 and 500 tenants, in both themes, and fails if any of them is not as it
// should be. Started from the root of the repository:
//
//   AVEPOINT_EXPORTER_BIN=… node run.mjs                        all, with pictures in target/render
//   node run.mjs --screenshots DIR --prometheus URL --var job=twenty
//                                                               pictures only, from a Prometheus that runs already
//
// More options of the second: --from and --to (now-24h, now), --interval of the scrapes (15s), --theme (dark), --only
// a dashboard's uid, --height of the pictures at most (1600), and --var NAME=VALUE for each variable that is to be set.

import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { seconds, serve } from './backend.mjs'
import { bundle } from './bundle.mjs'
import { drawAll } from './check.mjs'
import { openPage } from './draw.mjs'
import { startWorld } from './world.mjs'

const REPOSITORY = process.cwd()
const PICTURES = path.join(REPOSITORY, 'target/render')
const BUNDLE = path.join(import.meta.dirname, 'bundle')

const started = performance.now()
const say = (text) => console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`)

async function dashboards() {
  const folder = path.join(REPOSITORY, 'dashboards')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  if (names.length === 0) throw new Error(`there is no dashboard in ${folder}`)
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(path.join(folder, name), 'utf8'))))
}

/** Draws all and returns what is wrong. */
async function check() {
  const exporter = process.env.AVEPOINT_EXPORTER_BIN
  if (!exporter) throw new Error('AVEPOINT_EXPORTER_BIN must name the exporter')
  await rm(PICTURES, { recursive: true, force: true })
  await mkdir(PICTURES, { recursive: true })
  const bundled = bundle(BUNDLE)
  const world = await startWorld({ exporter, folder: path.join(import.meta.dirname, 'world'), repository: REPOSITORY })
  try {
    await bundled
    say('the page is bundled, and all figures of all fleets are there')
    return await drawAll({
      dashboards: await dashboards(),
      prometheus: world.url,
      range: { from: world.from, to: world.to },
      bundle: BUNDLE,
      pictures: PICTURES,
      say,
    })
  } finally {
    await world.close()
  }
}

/** Pictures for people, of a Prometheus that has run for a while. */
async function takePictures({ screenshots: folder, prometheus, from, to, interval, theme, only, height, var: set }) {
  const chosen = Object.fromEntries(set.map((each) => /^([^=]+)=(.*)$/s.exec(each)).map(([, name, value]) => [name, [value]]))
  await mkdir(folder, { recursive: true })
  await bundle(BUNDLE)
  const server = await serve({ folder: BUNDLE, prometheus, scrapeInterval: seconds(interval) })
  try {
    const page = await openPage({ url: server.url, width: 1400, height: Number(height), scrapeInterval: seconds(interval) })
    try {
      const problems = []
      for (const dashboard of (await dashboards()).filter(({ uid }) => !only || uid === only)) {
        const screenshot = path.join(folder, `${dashboard.uid}.png`)
        const drawn = await page.draw({ dashboard, mode: theme, chosen, from, to, screenshot })
        problems.push(...drawn.errors.map((error) => `${dashboard.uid}: ${error}`))
        say(screenshot)
      }
      return problems
    } finally {
      await page.close()
    }
  } finally {
    server.close()
  }
}

// So that what was started is ended; see world.mjs.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const { values: options } = parseArgs({
  options: {
    screenshots: { type: 'string' },
    prometheus: { type: 'string' },
    var: { type: 'string', multiple: true, default: [] },
    only: { type: 'string' },
    height: { type: 'string', default: '1600' },
    from: { type: 'string', default: 'now-24h' },
    to: { type: 'string', default: 'now' },
    interval: { type: 'string', default: '15s' },
    theme: { type: 'string', default: 'dark' },
  },
})
const problems = options.screenshots ? await takePictures(options) : await check()
for (const problem of problems) console.error(problem)
if (problems.length > 0) {
  console.error(`${problems.length} problems`)
  process.exitCode = 1
} else {
  say('all is drawn as it should be')
}
