// What happens when a part of a page does not arrive.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: paths => [pattern(paths)] });

/** What the stream page needs and the home page does not: its modules, which come as one script. */
const PART = '**/joined/stream.js';

/** How often a page is loaded anew by itself before it says what is wrong. */
const TRIES = 3;

/** Launches, with what is asked for spoilt in the first loads of the stream page.
 * @param {import('./harness/stage.js').Stage} stage
 * @param {{ spoil: (route: import('playwright-core').Route) => Promise<void>, what?: string, times?: number }} options
 */
async function launchSpoilt(stage, { spoil, what = PART, times = 1 }) {
  const { home, page } = await stage.visitor();
  const seen = { loads: 0 };
  page.on('framenavigated', () => {
    seen.loads += 1;
  });
  const inTheWay = () => seen.loads > 0 && seen.loads <= times;
  await page.route(what, route => (inTheWay() ? spoil(route) : route.continue()));
  const viewer = await home.launch('pattern', stage.host);
  return { page, viewer, seen };
}

/** @param {import('playwright-core').Route} route */
const lose = route => route.abort('connectionreset');

for (const [name, options] of /** @type {[string, Parameters<typeof launchSpoilt>[1]][]} */ ([
  ['the script is lost', { spoil: lose }],
  ['the script is refused', { spoil: route => route.fulfill({ status: 503, body: '' }) }],
  ['the script never comes', { spoil: () => new Promise(() => {}) }],
  ['the script is lost twice', { spoil: lose, times: 2 }],
  ['a style is lost', { spoil: lose, what: '**/css/stream.css' }],
  // As when the network changes under the browser.
  ['every file is lost at once', { spoil: lose, what: '**/static/**' }],
])) {
  scenario(`a page of which ${name} is loaded anew by itself`, async stage => {
    const { viewer, seen } = await launchSpoilt(stage, options);
    await until('the page is loaded anew', async () => seen.loads > (options.times ?? 1));
    await viewer.connected();
    await viewer.pattern.appears();
    assert.equal(seen.loads, 1 + (options.times ?? 1), 'no more often than needed');
  });
}

scenario(
  'a page whose script never arrives says so after some times, and offers to try again',
  async stage => {
    const { page, viewer, seen } = await launchSpoilt(stage, { spoil: lose, times: Infinity });
    await until('the page says it', async () => /did not arrive/.test(await viewer.says()));
    assert.equal(seen.loads, 1 + TRIES, 'the stream page, and anew');
    await page.unroute(PART);
    await page.getByRole('button', { name: 'Reload the page' }).click();
    await viewer.connected();
  },
);

scenario('the stream page opens its socket while its script is still on its way', async stage => {
  const { home, page } = await stage.visitor();
  /** @type {import('playwright-core').Route[]} */
  const held = [];
  await page.route(PART, route => void held.push(route));
  /** @type {string[]} */
  const sockets = [];
  page.on('websocket', socket => sockets.push(new URL(socket.url()).pathname));
  const launched = home.launch('pattern', stage.host);
  await until('it does both', () => held.length > 0 && sockets.length > 0);
  await held[0].continue();
  const viewer = await launched;
  await viewer.connected();
  await viewer.pattern.appears();
  assert.deepEqual(sockets, ['/ws'], 'and uses that one');
});
