// Headless browsers, and users of them: each a context with cookies and storage of its own.

import { chromium, firefox } from 'playwright-core';

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
  // Host candidates by their address: nobody answers mDNS where only loopback exists.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** What is run. */
export const program = process.env.HELIOSTAT_TEST_CHROMIUM ?? '/usr/bin/chromium';

/** @param {string[]} [more] further flags @param {string} [executablePath] what runs it @param {string} [display] to be seen on */
export function launchBrowser(more = [], executablePath = program, display = '') {
  return chromium.launch({
    executablePath,
    ...shownOn(display),
    args: [...flags, ...more],
  });
}

/** @param {string} display none: nowhere */
const shownOn = display => ({
  headless: display === '',
  ...(display ? { env: { .../** @type {Record<string, string>} */ (process.env), DISPLAY: display } } : {}),
});

/**
 * Debian's Firefox, by WebDriver BiDi. It has no H.264 in WebRTC.
 *
 * @param {string} [display] to be seen on
 */
export function launchFirefox(display = '') {
  return firefox.launch({
    // Selects BiDi; what is run is named below.
    channel: 'moz-firefox',
    executablePath: process.env.HELIOSTAT_TEST_FIREFOX ?? '/usr/bin/firefox-esr',
    ...shownOn(display),
    firefoxUserPrefs: {
      'media.autoplay.default': 0,
      // As for Chromium: loopback is the only network there is.
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'datareporting.policy.dataSubmissionEnabled': false,
    },
  });
}

/** The size of a page's window unless a test says otherwise. */
const WINDOW = { width: 1280, height: 800 };

/**
 * A user: cookies and storage of their own.
 *
 * @param {import('playwright-core').Browser} browser
 * @typedef {{ width: number, height: number }} Size
 * @param {{ viewport?: Size, hasTouch?: boolean, permissions?: string[], bypassCSP?: boolean }} [options]
 */
export async function newUser(browser, { viewport = WINDOW, ...more } = {}) {
  const context = await browser.newContext({ viewport, ...more });
  context.setDefaultTimeout(30_000);
  return context;
}
