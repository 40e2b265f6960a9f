// The services that Grafana gives its components, as far as a dashboard needs them. The data source is Grafana's
// own for Prometheus; the back end that it asks is ../backend.mjs.

import { EventBusSrv, LoadingState, setTimeZoneResolver } from '@grafana/data'
import { initPluginTranslations } from '@grafana/i18n'
import { PrometheusDatasource } from '@grafana/prometheus'
import {
  config,
  locationService,
  setAppEvents,
  setBackendSrv,
  setDataSourceSrv,
  setEchoSrv,
  setPluginImportUtils,
  setRunRequest,
  setTemplateSrv,
  toDataQueryError,
} from '@grafana/runtime'
import { sceneGraph } from '@grafana/scenes'
import { catchError, from, map, of, startWith } from 'rxjs'

const UID = 'prometheus'

export async function startServices({ scrapeInterval }) {
  await initPluginTranslations('render', [])
  setTimeZoneResolver(() => 'utc')
  setAppEvents(new EventBusSrv())
  setEchoSrv({ addEvent() {}, addBackend() {}, flush() {} })
  setPluginImportUtils({
    importPanelPlugin: (id) => Promise.reject(new Error(`Panel plugin not found: ${id}`)),
    getPanelPluginFromCache: () => undefined,
  })
  setTemplateSrv(templates)
  setBackendSrv({ fetch: (request) => from(ask(request)) })
  setRunRequest(runRequest)

  const settings = {
    id: 1,
    uid: UID,
    name: 'Prometheus',
    type: 'prometheus',
    access: 'proxy',
    url: '',
    isDefault: true,
    jsonData: { httpMethod: 'POST', timeInterval: scrapeInterval, disableRecordingRules: true },
    meta: { id: 'prometheus', name: 'Prometheus', metrics: true, annotations: true, info: { logos: {} } },
  }
  config.datasources = { Prometheus: settings }
  config.defaultDatasource = 'Prometheus'
  const source = new PrometheusDatasource(settings)
  setDataSourceSrv({
    get: (ref) => (ref?.uid === '-- Grafana --' ? Promise.reject(new Error('no such data source')) : Promise.resolve(source)),
    getInstanceSettings: () => settings,
    getList: () => [settings],
    reload() {},
  })
  locationService.replace('/')
}

/** Variables live in the scene, which a request names. */
const templates = {
  replace: (text, scoped, format) => {
    const object = scoped?.__sceneObject?.value.valueOf()
    return object && text ? sceneGraph.interpolate(object, text, scoped, format) : (text ?? '')
  },
  getVariables: () => [],
  containsTemplate: (text) => Boolean(text?.includes('$')),
  updateTimeRange() {},
}

async function ask({ url, method = 'GET', data, params, headers = {} }) {
  const target = new URL(url, window.location.origin)
  for (const [name, value] of Object.entries(params ?? {})) target.searchParams.append(name, value)
  const form = headers['Content-Type'] === 'application/x-www-form-urlencoded'
  const answer = await fetch(target, {
    method,
    headers: method === 'GET' ? {} : { 'Content-Type': form ? 'application/x-www-form-urlencoded' : 'application/json' },
    body: method === 'GET' ? undefined : form ? new URLSearchParams(data) : JSON.stringify(data),
  })
  const body = await answer.json()
  if (!answer.ok) throw { status: answer.status, statusText: answer.statusText, data: body, config: {} }
  return { data: body, status: answer.status, ok: true, headers: answer.headers, config: {} }
}

/** Grafana's own `runRequest`, without streams: a data source's answers as what panels get. */
function runRequest(source, request, queryFunction) {
  const empty = { state: LoadingState.Loading, series: [], annotations: [], timeRange: request.range, request }
  const failed = (error) => ({ ...empty, state: LoadingState.Error, error, errors: [error] })
  return from(queryFunction ? queryFunction(request) : source.query(request)).pipe(
    map((answer) => {
      const error = answer.error ?? answer.errors?.[0]
      if (error) return failed(error)
      return { ...empty, state: LoadingState.Done, series: answer.data }
    }),
    catchError((error) => of(failed(toDataQueryError(error)))),
    startWith(empty),
  )
}
