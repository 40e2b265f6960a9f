// Draws dashboards in a headless Chromium: one browser, one page, one dashboard after the other.

import { chromium } from 'playwright-core'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--force-color-profile=srgb',
]
const DRAWN_WITHIN = 120_000

/** Opens the page at `url`. `draw` shows one dashboard there, and tells what is wrong with it. */
export async function openPage({ url, width, height = Infinity, scrapeInterval }) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  try {
    const page = await browser.newPage({ viewport: { width, height: 2000 }, timezoneId: 'UTC', locale: 'en-US' })
    page.setDefaultTimeout(DRAWN_WITHIN)
    let said = []
    page.on('pageerror', (error) => said.push(`the page threw ${error.stack ?? error.message}`))
    page.on('console', (message) => {
      const text = `${message.text()} ${message.location().url ?? ''}`
      if (message.type() === 'error') said.push(`console: ${text}`)
    })
    await page.goto(url)
    if (said.length > 0) throw new Error(said.join('\n'))
    const customOptions = await page.evaluate((options) => window.start(options), { scrapeInterval: `${scrapeInterval}s` })

    const draw = async ({ screenshot, ...what }) => {
      const drawing = page.evaluate((each) => window.draw(each), what)
      const drawn = await within(DRAWN_WITHIN, what.dashboard.uid, drawing)
      await page.setViewportSize({ width, height: Math.min(drawn.height, height) })
      await page.screenshot({ path: screenshot })
      drawn.errors.push(...said)
      said = []
      return drawn
    }
    return { draw, customOptions, close: () => browser.close() }
  } catch (error) {
    await browser.close()
    throw error
  }
}

function within(milliseconds, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} is not drawn within ${milliseconds / 1000} s`)), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
