// Real programs: a terminal that outlives the host, and a browser inside the browser.

import assert from 'node:assert/strict';

import { browser, terminal, typing, typingPage } from './harness/apps.js';
import { pidOf } from './harness/proc.js';
import { suite } from './harness/suite.js';

/** Says where and when it believes to be, and fails, so that what it said is shown. */
const local = (/** @type {Record<string, string>} */ env) => ({
  command: 'sh',
  args: ['-c', 'echo "zone $(date +%Z) language $LANG"; exit 3'],
  restart: 'temporary',
  env,
});

const { scenario } = suite({
  sections: { instances: { capacity: 4, lang: 'C' } },
  env: { TZ: 'Asia/Tokyo' },
  apps: paths => [
    terminal(),
    browser(paths),
    { id: 'local', ...local({}) },
    { id: 'foreign', ...local({ LANG: 'POSIX', TZ: 'Europe/Athens' }) },
  ],
});

scenario("programs have the host's time zone and language, or those of their entry", async stage => {
  const client = await stage.client();
  for (const [app, said] of [
    ['local', /^zone JST language C$/],
    ['foreign', /^zone EES?T language POSIX$/],
  ]) {
    const { instance_id: id } = await client.launch(String(app));
    await client.statusBecomes(id, 'FAILED');
    const { output } = await client.instance(id);
    assert.ok(
      output.some((/** @type {string} */ line) => /** @type {RegExp} */ (said).test(line)),
      output.join(),
    );
  }
});

scenario('a command typed into xterm does its work, and the terminal outlives the host', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('terminal', stage.host);
  await viewer.connected();
  const region = { x: 200, y: 120, width: 300, height: 160 };
  await viewer.picture.becomes(region, { r: 0, g: 0, b: 0 });
  const shell = await pidOf(viewer.instanceId, 'render');

  await viewer.click(320, 180);
  await page.keyboard.type('colour() { printf \'\\033[%sm\\033[2J\' "$1"; }; colour 42');
  await page.keyboard.press('Enter');
  const green = { r: 0, g: 205, b: 0 };
  await viewer.picture.becomes(region, green);

  await stage.host.crash();
  await viewer.stateBecomes('reconnecting');
  await stage.host.run();
  await viewer.connected();
  await viewer.picture.becomes(region, green, 60_000);
  assert.equal(await pidOf(viewer.instanceId, 'render'), shell);
  // The shell still knows the function that was typed before.
  await viewer.click(320, 180);
  await page.keyboard.type('colour 41');
  await page.keyboard.press('Enter');
  await viewer.picture.becomes(region, { r: 205, g: 0, b: 0 });
});

scenario('a real Chromium is an instance: seen and typed into', async stage => {
  stage.host.give('typing.html', typingPage);
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('browser', stage.host);
  await viewer.connected();
  const below = { x: 300, y: 250, width: 200, height: 150 };
  await viewer.picture.becomes(below, typing.awaited, 90_000);
  await viewer.click(150, 68);
  // Chromium may take keys before a click that came earlier, and that would move the caret within the word.
  await viewer.picture.becomes(below, typing.clicked);
  await page.keyboard.type('Heliostat: 42%');
  await viewer.picture.becomes(below, typing.done);
  await page.keyboard.press('Backspace');
  await viewer.picture.becomes(below, typing.other);
});
