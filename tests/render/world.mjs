// Real exporters over simulated tenants, and a real Prometheus that scrapes them: what the dashboards are drawn from.

import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** In seconds. */
export const SCRAPE_INTERVAL = 5
const READY_WITHIN = 300_000

/**
 * What Prometheus calls each fleet, and what it has. Other seeds make other tenants. A demo polls each third time that its
 * world changes, which is too often for many tenants beside a browser.
 */
export const FLEETS = [
  { job: 'one', tenants: 1, users: 500, seed: 1, evolve: '5s' },
  { job: 'twenty', tenants: 20, users: 200, seed: 2, evolve: '5s' },
  { job: 'five-hundred', tenants: 500, users: 20, seed: 3, evolve: '10s' },
]

/**
 * Starts all and waits for their figures, which are those of the time `from` to `to`. Then the exporters end: nothing
 * new comes, and drawing has the processor. `close` ends Prometheus too. `folder` is for logs and Prometheus' data.
 */
export async function startWorld({ exporter, folder, repository }) {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const from = new Date()
  const children = []
  const ended = []
  process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')))
  const start = (name, command, args) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    child.on('error', (error) => console.error(`${command}: ${error.message}`))
    child.once('exit', () => ended.push(`${name} has ended, see ${path.join(folder, name)}.log`))
    const log = createWriteStream(path.join(folder, `${name}.log`))
    child.stdout.pipe(log)
    child.stderr.pipe(log)
    return child
  }
  const close = () => Promise.all(children.map(end))
  try {
    const targets = await Promise.all(
      FLEETS.map(async ({ job, ...world }) => {
        const flags = { ...world, 'web.listen-address': '127.0.0.1:0' }
        const demo = start(job, exporter, ['demo', ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)])
        return { job, address: await addressOf(job, demo) }
      }),
    )
    const port = await freePort()
    const config = path.join(folder, 'prometheus.json')
    const rules = path.join(folder, 'recording.yml')
    await writeFile(rules, await recordingRules(repository))
    await writeFile(config, JSON.stringify(configOf(targets, rules)))
    const exporters = [...children]
    start('prometheus', 'prometheus', [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ])
    const url = `http://127.0.0.1:${port}`
    await ready(url, ended)
    // Grafana asks for whole seconds; the exporters must not be gone by then.
    const to = new Date(Math.ceil(Date.now() / 1000) * 1000)
    await wait(to.getTime() - Date.now())
    await Promise.all(exporters.map(end))
    return { url, from: from.toISOString(), to: to.toISOString(), close }
  } catch (error) {
    await close()
    throw error
  }
}

function end(child) {
  if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGTERM')) return undefined
  return new Promise((resolve) => child.once('exit', resolve))
}

/** What dashboards read, recorded as often as the tests scrape. */
async function recordingRules(repository) {
  const rules = await readFile(path.join(repository, 'rules/avepoint-recording.yml'), 'utf8')
  return rules.replace(/^ {4}interval: .*$/gm, `    interval: ${SCRAPE_INTERVAL}s`)
}

/** Prometheus reads JSON too, for it is YAML. */
function configOf(targets, rules) {
  return {
    global: {
      scrape_interval: `${SCRAPE_INTERVAL}s`,
      scrape_timeout: `${SCRAPE_INTERVAL}s`,
      evaluation_interval: `${SCRAPE_INTERVAL}s`,
    },
    rule_files: [rules],
    scrape_configs: targets.map(({ job, address }) => ({ job_name: job, static_configs: [{ targets: [address] }] })),
  }
}

function addressOf(name, demo) {
  return new Promise((resolve, reject) => {
    let printed = ''
    demo.stdout.on('data', (part) => {
      printed += part
      const match = /http:\/\/(127\.0\.0\.1:\d+)\/metrics/.exec(printed)
      if (match) resolve(match[1])
    })
    demo.once('exit', () => reject(new Error(`the demo '${name}' ended before it told its address: ${printed}`)))
  })
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** What must be there of each fleet: all that is polled, the recorded series of all tenants, and enough for lines. */
const MARKERS = FLEETS.flatMap(({ job, tenants }) => {
  const drawn = (series) => `count_over_time(${series}[2m]) >= 3`
  const of = (series) => `count(${drawn(series)} and on (m365_tenant_id) avepoint_tenant_info{job="${job}"})`
  const all = (series) => `${of(series)} == ${tenants}`
  const requests = `sum(rate(avepoint_api_request_duration_seconds_count{job="${job}"}[${4 * SCRAPE_INTERVAL}s]))`
  return [
    all('tenant:avepoint_security_users:max'),
    all('tenant:avepoint_backup_users:max'),
    // A tenant of a few users may have none that both listings name.
    `${of('tenant_status:avepoint_exposed_users:max{status="high_risk"}')} > ${0.9 * tenants}`,
    all('avepoint_directory_users'),
    all('avepoint_partner_center_users'),
    // A tenant's first poll is over before the first scrape, so that rates begin with its second.
    `count_over_time((${requests} > 0)[1m:${SCRAPE_INTERVAL}s]) >= 2`,
  ]
})

async function ready(url, ended) {
  const end = Date.now() + READY_WITHIN
  let missing = [...MARKERS]
  while (missing.length > 0) {
    if (ended.length > 0) throw new Error(ended.join('; '))
    if (Date.now() > end) throw new Error(`after ${READY_WITHIN / 1000} s there is still nothing for ${missing.join('; ')}`)
    await wait(250)
    const left = await Promise.all(missing.map((marker) => holds(url, marker)))
    missing = missing.filter((_, index) => !left[index])
  }
}

async function holds(url, marker) {
  try {
    const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: marker })}`)
    return (await answer.json()).data.result.length > 0
  } catch {
    return false // It is still starting.
  }
}
