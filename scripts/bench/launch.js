// From the click on Launch to the first frame, beside the app's own start.

import { setTimeout as sleep } from 'node:timers/promises';

import { until } from '../../tests/browser/harness/wait.js';
import { openBrowser } from './browser.js';
import { ownStart } from './display.js';
import { temporaryFolder } from './places.js';
import { rest, startHost } from './rows/heliostat.js';

/** Notes when Launch was pressed, where the stream page can read it. */
function noteLaunch() {
  const pressed = event => {
    if (!event.composedPath().some(node => node.dataset?.app)) return;
    localStorage.setItem('bench.pressed', String(performance.timeOrigin + performance.now()));
  };
  window.addEventListener('pointerdown', pressed, true);
}

/**
 * @param {number} count
 * @returns {Promise<{ launch: number[], own: number[] }>} milliseconds
 */
export async function measureLaunch(count) {
  const own = [];
  for (let i = 0; i < count; i += 1) own.push(await ownStart(temporaryFolder()));
  const host = await startHost('still');
  const { browser, context } = await openBrowser(noteLaunch);
  const launch = [];
  try {
    const api = rest(host.origin, context);
    const page = await context.newPage();
    for (let i = 0; i < count; i += 1) {
      await page.goto(`${host.origin}/`);
      const button = page.locator('button[data-app="target"]');
      await button.waitFor();
      await sleep(500);
      await button.click();
      await page.waitForURL('**/stream/**', { waitUntil: 'commit' });
      const [first, origin, pressed] = await page.evaluate(async () => [
        await bench.first,
        performance.timeOrigin,
        Number(localStorage.getItem('bench.pressed')),
      ]);
      if (first === null) throw new Error('the launched instance was never seen');
      launch.push(origin + first - pressed);
      const id = page.url().split('/').pop() ?? '';
      await api.terminate(id);
      await until('the instance has ended', async () => {
        const { status } = await api.instance(id);
        return status === undefined || status === 'TERMINATED' || status >= 400;
      });
    }
  } finally {
    await browser.close();
    await host.stop();
  }
  return { launch, own };
}
