// What the stream page and the home page have beside the picture: the statistics, the full screen, a catalogue that
// follows its file.

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: paths => [pattern(paths)] });

/** The rows of the statistics panel, once it is open. @param {import('playwright-core').Page} page */
const statistics = page =>
  page.evaluate(() => {
    const panel = document.querySelector('heliostat-viewer')?.shadowRoot?.querySelector('.stats');
    if (!(panel instanceof HTMLElement) || !panel.checkVisibility()) return null;
    const rows = [...panel.querySelectorAll('dl > div')].map(row =>
      [...row.children].map(c => c.textContent),
    );
    return Object.fromEntries(rows);
  });

scenario('the statistics say what the connection does, and go away again', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  assert.equal(await statistics(page), null, 'nobody asked for them yet');
  await viewer.bar();
  await page.getByRole('button', { name: 'Statistics' }).click();
  const seen = await until('frames are counted', async () => {
    const rows = await statistics(page);
    if (!(Number.parseInt(rows?.['Frame rate'] ?? '', 10) >= 5)) throw new Error(JSON.stringify(rows));
    return /** @type {Record<string, string>} */ (rows);
  });
  assert.equal(seen.Picture, '640×360');
  assert.match(seen.Codec, /H264|VP8/);
  assert.match(seen.Bitrate, /^\d[\d.]* [kM]bit\/s$/);
  assert.match(seen['Round trip (data)'], /^\d[\d.]* ms$/);
  assert.match(seen.Path, /host|prflx/);
  await page.getByRole('button', { name: 'Statistics' }).click();
  assert.equal(await statistics(page), null);
});

scenario('the picture fills the screen, still takes keys, and comes back', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  const full = () => page.evaluate(() => document.fullscreenElement !== null);
  await viewer.bar();
  await page.getByRole('button', { name: 'Full screen' }).click();
  await until('the screen is full', full);
  await page.keyboard.type('wide');
  await viewer.pattern.textBecomes('wide');
  await viewer.bar();
  await page.getByRole('button', { name: 'Full screen' }).click();
  await until('the screen is not full any more', async () => !(await full()));
  await viewer.click(400, 100);
  await page.keyboard.type('r');
  await viewer.pattern.textBecomes('wider');
});

scenario(
  'a new entry in the file is in the catalogue after SIGHUP, and a broken file changes nothing',
  async stage => {
    const { home, page } = await stage.visitor();
    assert.equal(await home.app('second').count(), 0);
    appendFileSync(stage.host.config, '\n[[app]]\nid = "second"\ncommand = "sleep"\nargs = ["60"]\n');
    process.kill(stage.host.pid, 'SIGHUP');
    await until('the home page shows it', async () => {
      await page.reload();
      await home.app('pattern').waitFor();
      return (await home.app('second').count()) === 1;
    });
    appendFileSync(stage.host.config, '\n[[app]]\nid = "third"\ncommand = 3\n');
    process.kill(stage.host.pid, 'SIGHUP');
    await until('the mistake is in the log', () => /third|command/.test(stage.host.log()));
    await page.reload();
    await home.app('second').waitFor();
    assert.equal(await home.app('third').count(), 0);
  },
);

scenario('statistics of a connection that is over are not shown', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.bar();
  await page.getByRole('button', { name: 'Statistics' }).click();
  await until('they are there', async () => (await statistics(page))?.Codec);
  await (await stage.rest(page.context())).delete(`/api/v1/instances/${viewer.instanceId}`);
  await viewer.stateBecomes('ended');
  await until('they are gone', async () => {
    const rows = await statistics(page);
    if (JSON.stringify(rows) !== '{"Connection":"none"}') throw new Error(JSON.stringify(rows));
    return true;
  });
});

scenario('no page complains in the console of the browser', async stage => {
  const { home, page, user } = await stage.visitor();
  /** @type {string[]} */
  const said = [];
  user.on('console', message => said.push(`${page.url()}: ${message.text()}`));
  user.on('weberror', error => said.push(`${page.url()}: ${error.error().stack}`));
  await page.reload();
  await page.locator('article[data-app]').first().waitFor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.click(400, 100);
  await page.goto(`${stage.host.origin}/admin`);
  await page.locator('#tree').getByText('root').first().waitFor();
  await page.goto(stage.host.origin);
  await page.locator('article[data-instance]').first().waitFor();
  assert.deepEqual(said, []);
});
