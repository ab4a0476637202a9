// The main job in Firefox: another engine, without H.264.

import assert from 'node:assert/strict';

import { logging, pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ engine: 'firefox', apps: paths => [pattern(paths), logging(paths)] });

scenario('in Firefox a program is launched, seen and used, left and joined again', async stage => {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  await page.keyboard.type('hello');
  await viewer.pattern.textBecomes('hello');
  await until('it is measured how long that took', () =>
    page.evaluate(() => {
      const { clickToPhoton, glassToGlass } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      return clickToPhoton?.samples > 0 && glassToGlass?.p50_ms > 0;
    }),
  );
  const address = page.url();
  await page.close();

  const again = await user.newPage();
  await again.goto(address);
  const rejoined = new Viewer(again);
  await rejoined.connected();
  await rejoined.pattern.textBecomes('hello');
  assert.equal(await rejoined.property('role'), 'owner');
});

scenario('in Firefox a reload of the page brings the picture back', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await page.reload();
  await viewer.connected();
  await viewer.picture.goesOn();
});
