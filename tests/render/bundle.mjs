// Bundles the page that draws a dashboard: our few files and Grafana's own components.

import { createRequire } from 'node:module'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const { overrides } = require('./package.json')

/** Writes `page.js` and `page.css` into the folder. */
export async function bundle(outdir) {
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { page: 'page/main.jsx' },
    outdir,
    bundle: true,
    format: 'esm',
    splitting: true,
    target: 'es2022',
    jsx: 'automatic',
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.woff': 'empty', '.woff2': 'empty' },
    alias: {
      // What Grafana's build does too: both names have one router.
      'react-router-dom-v5-compat': require.resolve('react-router-dom'),
    },
    plugins: [leftOut],
  })
}

/** What package.json replaces with nothing, for no dashboard is drawn with it: editors, maps, telemetry. */
const names = [...Object.keys(overrides), '@grafana/assistant']
const LEFT_OUT = new RegExp(`^(${names.join('|')})(/|$)`)

/** Stands for each of their exports, whatever is done with it while modules load. */
const ANYTHING = `
  const anything = new Proxy(function () {}, {
    get: (target, name) => (name in target || typeof name === 'symbol' ? target[name] : anything),
    apply: () => anything,
    construct: () => anything,
  })
  module.exports = Object.create(anything)`

const leftOut = {
  name: 'left-out',
  setup(builder) {
    builder.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }))
    builder.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: ANYTHING, loader: 'js' }))
  },
}
