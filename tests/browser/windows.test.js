// Programs with several windows, and windows that would be out of reach.

import assert from 'node:assert/strict';

import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const size = { width: 640, height: 360 };

/**
 * A terminal that is one colour, named by its title.
 *
 * @param {string} title @param {string} background @param {string} [command] what runs in it once its window is there
 */
const xterm = (title, background, command = 'cat') =>
  `xterm -wf -fn 10x20 -T ${title} -bg '${background}' -fg '${background}' -cr '${background}' -e ${command}`;

/** Lies behind what is opened once it says that it is there. */
const BEHIND = `${xterm('red', '#c80000', `sh -c 'touch "$HOME/there"; exec cat'`)} &
  while [ ! -e "$HOME/there" ]; do sleep 0.1; done`;

const { scenario } = suite({
  sections: { instances: { capacity: 4 }, access: { bare_url: 'spectator' } },
  apps: () => [
    {
      id: 'two',
      name: 'Two windows',
      command: 'sh',
      args: ['-c', `${BEHIND}; exec ${xterm('green', '#00a000')}`],
      ...size,
    },
    {
      id: 'launcher',
      name: 'Launcher',
      command: 'sh',
      args: ['-c', `${xterm('red', '#c80000')} & sleep 2`],
      launcher: true,
      ...size,
    },
    { id: 'missing', name: 'Missing', command: '/opt/no-such-launcher', launcher: true, ...size },
    {
      id: 'returns',
      name: 'Returns',
      command: 'sh',
      args: ['-c', `${xterm('red', '#c80000')} & sleep 2`],
      ...size,
    },
  ],
});

const [RED, GREEN] = [
  { r: 200, g: 0, b: 0 },
  { r: 0, g: 160, b: 0 },
];
const WHOLE = { x: 4, y: 4, width: 630, height: 350 };

/** What is typed goes to the program. @param {import('playwright-core').Page} page */
const pictureHasKeys = page =>
  until('the picture has the keys', () =>
    page.evaluate(() => document.activeElement === document.querySelector('heliostat-viewer')),
  );

scenario(
  'a program with two windows is switched between from the page, and takes what is typed',
  async stage => {
    const { home, page } = await stage.visitor();
    const viewer = await home.launch('two', stage.host);
    await viewer.connected();
    await viewer.picture.becomes(WHOLE, GREEN);
    await viewer.bar();
    const list = page.locator('[data-action="windows"]');
    await list.waitFor();
    await until('the bar names it', async () => /^green\s*2$/.test((await list.textContent()) ?? ''));

    await list.click();
    await page.getByRole('menuitemradio', { name: 'red' }).click();
    await viewer.picture.becomes(WHOLE, RED);
    await until('the bar names it', async () => /red/.test((await list.textContent()) ?? ''));
    // The keys go to the picture again, and there to the window that was chosen: its end leaves the other.
    await pictureHasKeys(page);
    await page.keyboard.press('Control+d');
    await viewer.picture.becomes(WHOLE, GREEN);
    await until('there is nothing left to choose', async () => !(await list.isVisible()));
  },
);

scenario('the list closes without a choice and gives the keys back', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('two', stage.host);
  await viewer.connected();
  await viewer.picture.becomes(WHOLE, GREEN);
  await viewer.bar();
  const list = page.locator('[data-action="windows"]');
  // What it lists may come after the bar; before, its button is hidden or of no use.
  await list.and(page.locator(':enabled')).waitFor();
  // The picture must not have the keys while the list opens: an Escape then would be the program's.
  const taken = await list.evaluate((/** @type {HTMLElement} */ button) => {
    button.focus();
    button.click();
    return document.activeElement === document.querySelector('heliostat-viewer');
  });
  assert.equal(taken, false);
  await page.getByRole('menu', { name: 'Windows' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('menu', { name: 'Windows' }).waitFor({ state: 'hidden' });
  await pictureHasKeys(page);
  await page.keyboard.press('Control+d');
  // The program itself was that window.
  await until('the green window is gone', async () => {
    const { colours } = await viewer.picture.look([WHOLE]);
    return (await viewer.property('state')) === 'ended' || (colours[0] && colours[0].r > 150);
  });
});

scenario('a spectator is not told of the windows', async stage => {
  const { home } = await stage.visitor();
  const owner = await home.launch('two', stage.host);
  await owner.connected();
  await owner.bar();
  await owner.page.locator('[data-action="windows"]').waitFor();
  const user = await stage.stranger();
  const page = await user.newPage();
  await page.goto(owner.page.url());
  const viewer = new Viewer(page);
  await viewer.connected();
  await viewer.becomesRole('spectator');
  const windows = await page.evaluate(
    () => /** @type {any} */ (document.querySelector('heliostat-viewer')).status.windows ?? null,
  );
  assert.equal(windows, null);
  await viewer.bar();
  assert.equal(await page.locator('[data-action="windows"]').isVisible(), false);
});

scenario(
  'a command that starts the program and returns is a launcher, and ends with the last window',
  async stage => {
    const { home, page, user } = await stage.visitor();
    const viewer = await home.launch('launcher', stage.host);
    await viewer.connected();
    await viewer.picture.becomes(WHOLE, RED);
    const rest = await stage.rest(user);
    // The command itself has returned after two seconds.
    await until('it runs on for a while', async () => {
      const { status, created } = await rest.instance(viewer.instanceId);
      assert.equal(status, 'RUNNING');
      return Date.now() - created > 6000;
    });
    await viewer.click(300, 200);
    await page.keyboard.press('Control+d');
    await viewer.stateBecomes('ended');
    assert.equal((await rest.instance(viewer.instanceId)).reason, 'app_exited');
  },
);

scenario(
  'a command that returns at once without being called a launcher ends, and the page says what to set',
  async stage => {
    const { home } = await stage.visitor();
    const viewer = await home.launch('returns', stage.host);
    await viewer.stateBecomes('ended');
    await until('the page says what to set', async () => /launcher = true/.test(await viewer.says()));
  },
);

scenario('a launcher whose command does not exist fails as such, and is not tried again', async stage => {
  const { home, user } = await stage.visitor();
  const viewer = await home.launch('missing', stage.host);
  await viewer.stateBecomes('failed');
  await until('the page names the command', async () =>
    /no-such-launcher does not exist/.test(await viewer.says()),
  );
  const rest = await stage.rest(user);
  assert.equal((await rest.instance(viewer.instanceId)).reason, 'command_not_found');
});
