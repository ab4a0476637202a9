// Headless Chromium, started anew for every row and content: the same flags for all, those of the tests.

import { launchBrowser, newUser } from '../../tests/browser/harness/browser.js';
import { sampler } from './sampler.js';

/** Room for a picture of 1280×720 in its own size below the bar that noVNC's page has. */
const VIEWPORT = { width: 1280, height: 760 };

/**
 * @param {(() => void) | null} prepare runs in every page before its own scripts
 * @param {{ flags?: string[], program?: string }} [options] further flags, and what runs it
 */
export async function openBrowser(prepare = null, { flags, program } = {}) {
  const browser = await launchBrowser(flags, program);
  const context = await newUser(browser, { viewport: VIEWPORT });
  await context.addInitScript(sampler);
  if (prepare) await context.addInitScript(prepare);
  return { browser, context, version: browser.version() };
}
