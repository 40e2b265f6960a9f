// The types of Grafana that dashboards are held to, each under a name of its own. Read by schema.mjs.

import type { AnnotationQuery, Dashboard, VariableModel } from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen'
import type * as bargauge from './node_modules/@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen'
import type * as stat from './node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type * as table from './node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen'
import type * as timeseries from './node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'

// What Grafana reads, but its types do not name.
interface Annotation extends AnnotationQuery {
  expr?: string
  step?: string
  textFormat?: string
  titleFormat?: string
  useValueForTime?: boolean
}
interface Variable extends VariableModel {
  definition?: string
}
interface Whole extends Omit<Dashboard, 'annotations' | 'templating'> {
  annotations: { list: Annotation[] }
  templating: { list: Variable[] }
}

// What is left out gets Grafana's default. The two without custom settings have none.
export interface Types {
  dashboard: Whole
  bargauge: { options: Partial<bargauge.Options>; custom: Record<string, never> }
  stat: { options: Partial<stat.Options>; custom: Record<string, never> }
  table: { options: Partial<table.Options>; custom: Partial<table.FieldConfig> }
  timeseries: { options: Partial<timeseries.Options>; custom: Partial<timeseries.FieldConfig> }
}
