// The four panels that our dashboards use. Grafana does not publish them, only the components that they are made of;
// what is here is how its panels use these.

import { cacheFieldDisplayNames, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues, PanelPlugin } from '@grafana/data'
import { config } from '@grafana/runtime'
import { sceneUtils } from '@grafana/scenes'
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui'
import { TableNG } from '@grafana/ui/unstable'
import { useMemo } from 'react'
import { fieldOption } from './registries.js'

const Nothing = ({ fieldConfig }) => <div className="no-data">{fieldConfig.defaults.noValue ?? 'No data'}</div>

function reduced({ data, fieldConfig, options, replaceVariables, timeZone }) {
  return getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables,
    theme: config.theme2,
    data: data.series,
    sparkline: options.graphMode !== undefined && options.graphMode !== 'none',
    percentChange: options.showPercentChange,
    timeZone,
  })
}

function Stat(props) {
  const { data, options, fieldConfig, title, width, height, renderCounter } = props
  const named = options.textMode === 'auto' && (fieldConfig.defaults.displayName || !title)
  return (
    <VizRepeater
      getValues={() => reduced(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={data}
      autoGrid
      itemSpacing={3}
      {...{ width, height, renderCounter }}
      orientation={options.orientation}
      renderValue={({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline}
          text={options.text}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={named ? 'value_and_name' : options.textMode}
          percentChangeColorMode={options.percentChangeColorMode}
          wideLayout={options.wideLayout}
          theme={config.theme2}
          {...{ width, height, count, alignmentFactors }}
        />
      )}
    />
  )
}

function Bars(props) {
  const { data, options, width, height, renderCounter } = props
  const manual = options.sizing === 'manual'
  const auto = options.orientation === 'auto' && width > height
  const orientation = auto ? 'vertical' : options.orientation === 'auto' ? 'horizontal' : options.orientation
  return (
    <VizRepeater
      getValues={() => reduced(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={data}
      itemSpacing={options.displayMode === 'lcd' ? 2 : 10}
      minVizWidth={manual ? options.minVizWidth : 0}
      minVizHeight={manual ? options.minVizHeight : orientation === 'horizontal' ? 10 : 0}
      maxVizHeight={manual ? options.maxVizHeight : orientation === 'horizontal' ? 300 : 0}
      {...{ width, height, renderCounter, orientation }}
      renderValue={({ value, width, height, alignmentFactors }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          text={options.text}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          lcdCellWidth={12}
          itemSpacing={10}
          theme={config.theme2}
          {...{ width, height, alignmentFactors, orientation }}
        />
      )}
    />
  )
}

/** Frames that have a time and a number, as lines are drawn from; what is not a number is a gap. */
function graphable(frames) {
  const has = (frame, wanted) => frame.fields.some(({ type }) => type === wanted)
  const finite = (value) => (Number.isFinite(value) ? value : null)
  return frames
    .filter((frame) => has(frame, FieldType.time) && has(frame, FieldType.number))
    .map((frame) => ({
      ...frame,
      fields: frame.fields.map((field) =>
        field.type === FieldType.number ? { ...field, values: field.values.map(finite) } : field,
      ),
    }))
}

function Lines(props) {
  const { data, options, width, height, timeRange, timeZone } = props
  const frames = useMemo(() => graphable(data.series), [data.series])
  if (frames.length === 0) return <Nothing {...props} />
  return (
    <TimeSeries
      frames={frames}
      structureRev={data.structureRev}
      legend={options.legend}
      options={options}
      timeZone={timeZone}
      {...{ width, height, timeRange }}
    />
  )
}

function Table(props) {
  const { data, options, width, height, fieldConfig, timeRange, transparent } = props
  cacheFieldDisplayNames(data.series)
  const frame = data.series[options.frameIndex ?? 0]
  if (!frame?.fields.length) return <Nothing {...props} />
  return (
    <TableNG
      data={frame}
      noHeader={!options.showHeader}
      showTypeIcons={options.showTypeIcons}
      resizable
      sortBy={options.sortBy}
      enablePagination={options.enablePagination}
      cellHeight={options.cellHeight}
      maxRowHeight={options.maxRowHeight}
      frozenColumns={options.frozenColumns?.left}
      structureRev={data.structureRev}
      timeRange={timeRange}
      getActions={() => []}
      {...{ width, height, fieldConfig, transparent }}
    />
  )
}

// What an override or a default may set in `custom`, and what it is if nothing does.
const HIDE = { tooltip: false, viz: false, legend: false }
const CUSTOM = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', fillBelowTo: undefined,
    lineStyle: undefined, lineColor: undefined, fillColor: undefined, spanNulls: false, insertNulls: false, showPoints: 'auto',
    showValues: false, pointSize: 5, pointSymbol: undefined, pointColor: undefined, stacking: { mode: 'none', group: 'A' },
    transform: undefined, barAlignment: 0, barWidthFactor: 0.6, barMaxWidth: undefined, axisPlacement: 'auto',
    axisColorMode: 'text', axisBorderShow: false, axisLabel: '', axisWidth: undefined, axisSoftMin: undefined,
    axisSoftMax: undefined, axisGridShow: undefined, axisCenteredZero: false, scaleDistribution: { type: 'linear' },
    hideFrom: HIDE, thresholdsStyle: { mode: 'off' },
  },
  table: {
    width: undefined, minWidth: undefined, align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: false,
    hideHeader: false, wrapHeaderText: false, wrapText: false, tooltip: undefined, styleField: undefined, footer: undefined,
    'hideFrom.viz': false, hidden: false, hideFrom: HIDE,
  },
  stat: {},
  bargauge: {},
} // prettier-ignore

/** The names of what an override may set, by panel. A name that is none of these has no effect in Grafana. */
export const customOptions = Object.fromEntries(
  Object.entries(CUSTOM).map(([panel, options]) => [panel, Object.keys(options).map((name) => `custom.${name}`)]),
)

export function registerPanels() {
  const panels = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Table }
  for (const [pluginId, component] of Object.entries(panels)) {
    const plugin = new PanelPlugin(component)
    plugin.useFieldConfig({
      useCustomConfig: (builder) => {
        for (const [path, value] of Object.entries(CUSTOM[pluginId])) {
          builder.addCustomEditor(fieldOption(path, undefined, value))
        }
      },
    })
    if (pluginId === 'timeseries') plugin.setDataSupport({ annotations: true, alertStates: true })
    sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin })
  }
}
