// Headless Chromium, started anew for every row and content: the same flags for all.

import { playwright } from './places.js';
import { sampler } from './sampler.js';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
  '--disable-dev-shm-usage',
  '--mute-audio',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** Room for a picture of 1280×720 in its own size below the bar that noVNC's page has. */
const VIEWPORT = { width: 1280, height: 760 };

/** @param {(() => void) | null} prepare runs in every page before its own scripts */
export async function openBrowser(prepare = null) {
  const executablePath = process.env.HELIOSTAT_TEST_CHROMIUM ?? '/usr/bin/chromium';
  const browser = await playwright().chromium.launch({ executablePath, headless: true, args: flags });
  const context = await browser.newContext({ viewport: VIEWPORT });
  context.setDefaultTimeout(30_000);
  await context.addInitScript(sampler);
  if (prepare) await context.addInitScript(prepare);
  return { browser, context, version: browser.version() };
}
