// A page that nobody sees is sent no picture, and has it again at once when somebody looks.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: paths => [pattern(paths)] });

/** Time without a frame that says that none is sent, ms. A still picture has one in 2 s. */
const QUIET = 5_000;

/** Lets the page believe that its tab is in the background, or in front again: a browser without windows has none. */
const show = (/** @type {import('playwright-core').Page} */ page, /** @type {boolean} */ shown) =>
  page.evaluate(shown => {
    const state = shown ? 'visible' : 'hidden';
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, shown);

scenario('a hidden page is sent no picture, and has it again when it is seen', async stage => {
  const { home } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.picture.goesOn(5);
  await viewer.rememberConnection();
  await show(viewer.page, false);
  await until(
    'no frame comes any more',
    async () => {
      const before = await viewer.picture.framesDecoded();
      await sleep(QUIET);
      return (await viewer.picture.framesDecoded()) === before;
    },
    { within: 60_000 },
  );
  await show(viewer.page, true);
  await viewer.picture.goesOn(5);
  assert.ok(await viewer.sameConnection(), 'on the connection that it had');
});
