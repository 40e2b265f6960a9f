// Turns a dashboard's JSON into a scene, as Grafana does when it opens one. All rows are open.

import { standardTransformersRegistry } from '@grafana/data'
import {
  DataSourceVariable,
  EmbeddedScene,
  QueryVariable,
  SceneDataLayerSet,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneTimePicker,
  SceneTimeRange,
  SceneVariableSet,
  VariableValueSelectors,
  VizPanel,
  dataLayers,
} from '@grafana/scenes'

/** `chosen` has the values of variables, by name, that are not to be the dashboard's own. */
export function sceneOf(dashboard, { from, to, chosen }) {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from, to, timeZone: 'utc' }),
    $variables: new SceneVariableSet({
      variables: dashboard.templating.list.map((variable) => variableOf(variable, chosen[variable.name])),
    }),
    $data: new SceneDataLayerSet({ layers: dashboard.annotations.list.filter(({ builtIn }) => !builtIn).map(layerOf) }),
    controls: [new VariableValueSelectors({}), new SceneTimePicker({})],
    body: new SceneGridLayout({ children: childrenOf(dashboard.panels) }),
  })
}

function variableOf(variable, chosen) {
  const { name, label, hide, query, regex, multi, includeAll, allValue, refresh, sort, current, datasource } = variable
  const common = { name, label, hide, skipUrlSync: true }
  switch (variable.type) {
    case 'datasource':
      return new DataSourceVariable({ ...common, pluginId: query, value: 'prometheus', text: 'Prometheus' })
    case 'query':
      return new QueryVariable({
        ...common,
        ...{ datasource, query, regex, refresh, sort, isMulti: multi, includeAll, allValue },
        value: chosen ?? current.value,
        text: chosen ?? current.text,
        defaultToAll: Boolean(includeAll),
      })
    default:
      throw new Error(`variable '${name}': there is no code here for the type '${variable.type}'`)
  }
}

const layerOf = (annotation) =>
  new dataLayers.AnnotationsDataLayer({ name: annotation.name, query: annotation, isEnabled: annotation.enable, isHidden: true })

/** Rows with the panels below them, each at the height that it has when all rows above are open. */
function childrenOf(panels) {
  const children = []
  let section = { y: 0, panels: [] }
  const sections = [section]
  for (const panel of panels) {
    if (panel.type !== 'row') {
      section.panels.push(panel)
      continue
    }
    section = { row: panel, panels: [...(panel.panels ?? [])] }
    sections.push(section)
  }
  let y = 0
  for (const { row, panels } of sections) {
    const top = row ? row.gridPos.y + 1 : 0
    const first = Math.min(...panels.map(({ gridPos }) => gridPos.y), Infinity)
    // A closed row keeps its panels' places as they were; they begin right below it.
    const origin = row?.collapsed && panels.length > 0 ? first : top
    if (row) {
      y += 1
    }
    const items = panels.map((panel) => itemOf(panel, y + panel.gridPos.y - origin))
    if (row) {
      children.push(new SceneGridRow({ key: `row-${row.id}`, title: row.title, y: y - 1, isCollapsed: false, children: items }))
    } else {
      children.push(...items)
    }
    y = Math.max(y, ...items.map(({ state }) => state.y + state.height))
  }
  return children
}

function itemOf(panel, y) {
  if (panel.repeat) throw new Error(`panel '${panel.title}': there is no code here for repeated panels`)
  const { x, w: width, h: height } = panel.gridPos
  return new SceneGridItem({ x, y, width, height, body: panelOf(panel) })
}

function panelOf(panel) {
  const { id, type, title, description, options, fieldConfig, transformations, datasource, targets, transparent } = panel
  for (const { id } of transformations ?? []) {
    if (!standardTransformersRegistry.getIfExists(id)) throw new Error(`panel '${title}': no transformation is named '${id}'`)
  }
  const $data = new SceneQueryRunner({
    datasource,
    queries: targets,
    maxDataPoints: panel.maxDataPoints,
    minInterval: panel.interval,
    dataLayerFilter: { panelId: id },
  })
  return new VizPanel({
    key: `panel-${id}`,
    pluginId: type,
    pluginVersion: panel.pluginVersion,
    displayMode: transparent ? 'transparent' : 'default',
    ...{ title, description, options, fieldConfig },
    $data: transformations?.length ? new SceneDataTransformer({ $data, transformations }) : $data,
  })
}
