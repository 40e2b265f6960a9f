// What Grafana's own server does for a dashboard: it serves the page, and asks Prometheus for the page's queries.
// https://grafana.com/docs/grafana/latest/developers/http_api/data_source/#query-a-data-source

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Dashboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<style>body { margin: 0 } #root { padding: 16px; font-family: Inter, sans-serif }</style>
<script>window.grafanaBootData = { user: {}, settings: { buildInfo: { version: '13.1.1' }, featureToggles: {} } }</script>
<body><div id="root"></div><script type="module" src="/page.js"></script></body>
</html>`

const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
const MOST_POINTS = 11_000

const require = createRequire(import.meta.url)
const IMAGES = path.join(path.dirname(require.resolve('@grafana/ui/package.json')), 'dist/public')
const FONTS = path.join(path.dirname(require.resolve('@fontsource/inter/package.json')), 'files')

/** Serves the page from `folder`, with the figures of the Prometheus at `prometheus`; tells its address. */
export async function serve({ folder, prometheus, scrapeInterval }) {
  // A dashboard that is drawn in the other theme asks the same once more.
  const answered = new Map()
  const handle = async (request, response) => {
    const url = new URL(request.url, 'http://localhost')
    const body = await text(request)
    if (url.pathname === '/') return send(response, 200, 'text/html', PAGE)
    if (url.pathname === '/api/ds/query') {
      if (!answered.has(body)) answered.set(body, query(JSON.parse(body), prometheus, scrapeInterval))
      return send(response, 200, 'application/json', JSON.stringify({ results: await answered.get(body) }))
    }
    const resource = /^\/api\/datasources\/uid\/[^/]+\/resources\/(.*)$/.exec(url.pathname)
    if (resource) {
      const answer = await fetch(`${prometheus}/${resource[1]}${url.search}`, {
        method: request.method,
        headers: request.method === 'POST' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {},
        body: request.method === 'POST' ? body : undefined,
      })
      return send(response, answer.status, 'application/json', await answer.text())
    }
    const file = fileOf(url.pathname, folder)
    const content = await readFile(file).catch((error) => {
      // Some icons come with Grafana's server only.
      if (file.startsWith(IMAGES) && error.code === 'ENOENT') return '<svg xmlns="http://www.w3.org/2000/svg" />'
      throw error
    })
    return send(response, 200, TYPES[path.extname(file)] ?? 'application/octet-stream', content)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      const missing = error.code === 'ENOENT'
      send(response, missing ? 404 : 500, 'application/json', JSON.stringify({ message: error.message }))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }
}

function fileOf(name, folder) {
  const font = /^\/public\/fonts\/inter\/Inter-(Regular|Medium)\.woff2$/.exec(name)
  if (font) return path.join(FONTS, `inter-latin-${font[1] === 'Regular' ? 400 : 500}-normal.woff2`)
  const image = /^\/public\/build\/(img\/.*)$/.exec(path.normalize(name))
  return image ? path.join(IMAGES, image[1]) : path.join(folder, path.normalize(name))
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'max-age=3600' })
  response.end(body)
}

async function text(stream) {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString()
}

/** The answers to the queries of one panel, by their names. */
async function query({ queries, from, to }, prometheus, scrapeInterval) {
  const range = { from: Number(from) / 1000, to: Number(to) / 1000 }
  const answers = queries.map(async (each) => {
    try {
      return [each.refId, { status: 200, frames: await frames(each, range, prometheus, scrapeInterval) }]
    } catch (error) {
      return [each.refId, { status: 400, error: error.message, frames: [] }]
    }
  })
  return Object.fromEntries(await Promise.all(answers))
}

async function frames(target, range, prometheus, scrapeInterval) {
  const step = stepOf(target, range, scrapeInterval)
  const expr = withIntervals(target.expr, step, range, scrapeInterval)
  const instant = target.instant && !target.range
  const start = Math.floor(range.from / step) * step
  const times = instant ? { time: range.to } : { start, end: Math.floor(range.to / step) * step, step }
  const answer = await fetch(`${prometheus}/api/v1/${instant ? 'query' : 'query_range'}`, {
    method: 'POST',
    body: new URLSearchParams({ query: expr, ...times }),
  })
  const { status, data, error } = await answer.json()
  if (status !== 'success') throw new Error(`${error}: ${expr}`)
  if (data.resultType === 'scalar') return [frameOf(target, expr, step, {}, [data.result])]
  if (data.result.length === 0) return [{ schema: { refId: target.refId, fields: [] }, data: { values: [] } }]
  return data.result.map(({ metric, value, values }) => frameOf(target, expr, step, metric, values ?? [value]))
}

/** A step of the interval that the panel asks for, no shorter than a scrape and no finer than Prometheus allows. */
function stepOf({ interval, intervalMs }, range, scrapeInterval) {
  const least = interval ? seconds(interval) : scrapeInterval
  return Math.max(least, Math.round((intervalMs ?? 0) / 1000), Math.ceil((range.to - range.from) / MOST_POINTS))
}

function withIntervals(expr, step, range, scrapeInterval) {
  const length = Math.max(1, Math.round(range.to - range.from))
  const values = {
    __rate_interval: `${Math.max(step + scrapeInterval, 4 * scrapeInterval)}s`,
    __interval: `${step}s`,
    __interval_ms: String(step * 1000),
    __range: `${length}s`,
    __range_s: String(length),
    __range_ms: String(length * 1000),
  }
  return expr.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, plain) => values[braced ?? plain] ?? whole)
}

export function seconds(duration) {
  const [, count, unit] = /^(\d+)(s|m|h|d)$/.exec(duration) ?? []
  if (!count) throw new Error(`'${duration}' is not a duration such as 15s`)
  return Number(count) * { s: 1, m: 60, h: 3600, d: 86400 }[unit]
}

function frameOf({ refId, legendFormat }, expr, step, labels, points) {
  const name = legendOf(legendFormat, labels, expr)
  const numbers = points.map(([, value]) => Number(value))
  return {
    schema: {
      refId,
      name,
      meta: { type: 'timeseries-multi', custom: { resultType: 'matrix' }, executedQueryString: expr },
      fields: [
        { name: 'Time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval: step * 1000 } },
        {
          name: labels.__name__ ?? 'Value',
          type: 'number',
          typeInfo: { frame: 'float64' },
          labels,
          config: name ? { displayNameFromDS: name } : {},
        },
      ],
    },
    // JSON has no NaN: Grafana marks where they are.
    data: {
      values: [points.map(([time]) => time * 1000), numbers.map((number) => (Number.isFinite(number) ? number : null))],
      entities: [
        null,
        {
          NaN: where(numbers, Number.isNaN),
          Inf: where(numbers, (number) => number === Infinity),
          NegInf: where(numbers, (number) => number === -Infinity),
        },
      ],
    },
  }
}

const where = (numbers, holds) => numbers.flatMap((number, index) => (holds(number) ? [index] : []))

function legendOf(format, labels, expr) {
  if (format === '__auto') return Object.keys(labels).length > 0 ? '' : expr
  if (format) return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '')
  const { __name__: metric = '', ...rest } = labels
  const pairs = Object.entries(rest).map(([label, value]) => `${label}="${value}"`)
  return pairs.length > 0 ? `${metric}{${pairs.join(', ')}}` : metric || expr
}
