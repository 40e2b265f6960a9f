// The page: `draw` shows one dashboard and tells what came of it. Node calls it, see ../draw.mjs.

import '@grafana/react-data-grid/lib/styles.css'
import 'uplot/dist/uPlot.min.css'
import { createTheme, ThemeContext } from '@grafana/data'
import { config, locationService, LocationServiceProvider } from '@grafana/runtime'
import { GlobalStyles } from '@grafana/ui'
import { createRoot } from 'react-dom/client'
import { Router } from 'react-router-dom'
import { inspect, settled } from './inspect.js'
import { customOptions, registerPanels } from './panels.jsx'
import { fillRegistries } from './registries.js'
import { sceneOf } from './scene.js'
import { startServices } from './services.js'

let root

window.start = async (options) => {
  fillRegistries()
  registerPanels()
  await startServices(options)
  return customOptions
}

window.draw = async ({ dashboard, mode, ...choice }) => {
  root?.unmount()
  const theme = createTheme({ colors: { mode } })
  config.theme2 = theme
  config.bootData.user.lightTheme = mode === 'light'
  document.body.className = `theme-${mode}`
  const scene = sceneOf(dashboard, choice)
  root = createRoot(document.getElementById('root'))
  root.render(
    <ThemeContext.Provider value={theme}>
      <LocationServiceProvider service={locationService}>
        <Router location={locationService.getLocation()} navigator={locationService.getHistory()}>
          <GlobalStyles />
          <scene.Component model={scene} />
        </Router>
      </LocationServiceProvider>
    </ThemeContext.Provider>,
  )
  await settled(scene)
  return inspect(scene)
}
