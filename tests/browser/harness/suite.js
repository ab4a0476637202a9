// One host and one browser for the scenarios of a file.

import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { launchBrowser, launchFirefox } from './browser.js';
import { Host } from './host.js';
import { Stage } from './stage.js';

/** A scenario that takes longer hangs, in milliseconds; a soak repeats what is in it, and waits longer in between. */
const LIMIT =
  150_000 * Math.max(1, Number(process.env.HELIOSTAT_FAULT_ROUNDS ?? 3) / 3) +
  4 * Number(process.env.HELIOSTAT_DATABASE_AWAY_MS ?? 0);

/** What it then takes to keep what helps to understand it, in milliseconds. */
const REPORT = 60_000;

/**
 * Declares what the scenarios of this file share.
 *
 * @param {Parameters<typeof Host.start>[0] & { flags?: string[], program?: string, engine?: 'chromium' | 'firefox' }}
 *   options of the host; further flags of Chromium, and what runs it; which browser
 */
export function suite(options) {
  /** @type {Host | undefined} */
  let host;
  /** @type {import('playwright-core').Browser | undefined} */
  let browser;
  let failed = false;

  const start = async () => {
    host = await Host.start(options);
    browser =
      options?.engine === 'firefox'
        ? await launchFirefox()
        : await launchBrowser(options?.flags, options?.program);
  };
  const stop = async () => {
    await browser?.close();
    try {
      // What a failed scenario left is no second failure; its folder stays, to be looked at.
      if (host && !failed) {
        await host.stop();
        host.removeFolder();
      }
    } finally {
      await host?.destroy();
    }
  };
  before(start, { timeout: 120_000 });
  after(stop, { timeout: 90_000 });

  /**
   * One test: a sentence about behaviour.
   *
   * @param {string} sentence
   * @param {(stage: Stage) => Promise<void>} act
   * @param {{ skip?: string | false }} [options] skip: why it cannot be shown on this machine
   */
  function scenario(sentence, act, { skip = false } = {}) {
    test(sentence, { timeout: LIMIT + REPORT, skip }, async () => {
      if (!host || !browser) throw new Error('the host did not start');
      const stage = new Stage(host, browser);
      const late = new AbortController();
      try {
        const patience = sleep(LIMIT, 'late', { signal: late.signal });
        if ((await Promise.race([act(stage), patience])) === 'late')
          throw new Error(`it still goes on after ${LIMIT / 1000} s`);
        await stage.clear();
      } catch (error) {
        failed = true;
        await stage.keepEvidence(sentence);
        await stage.clear().catch(() => {});
        throw error;
      } finally {
        late.abort();
      }
    });
  }

  return { scenario };
}
