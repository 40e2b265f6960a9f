// Bundles the page that draws a dashboard: our few files and Grafana's own components.

import { createRequire } from 'node:module'
import path from 'node:path'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)

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

/** The overrides in package.json leave packages out that nothing here draws with; so are their files. */
const leftOut = {
  name: 'left-out',
  setup(builder) {
    builder.onResolve({ filter: /^((monaco-editor|monaco-promql|ol)\/|@grafana\/assistant$)/ }, ({ path: name }) => ({
      path: path.basename(name),
      namespace: 'left-out',
    }))
    builder.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}', loader: 'js' }))
  },
}
