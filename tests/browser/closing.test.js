// Why a connection was closed reaches a page whose socket is gone, and the page does what helps.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: paths => [pattern(paths)] });

/**
 * A viewer whose sockets the test can take away.
 *
 * @param {import('./harness/stage.js').Stage} stage
 */
async function watching(stage) {
  const { home, page, user } = await stage.visitor();
  await page.addInitScript(() => {
    const world = /** @type {any} */ (window);
    world.sockets = [];
    world.noSockets = false;
    const Real = world.WebSocket;
    world.WebSocket = class extends Real {
      /** @param {string} url @param {string} protocol */
      constructor(url, protocol) {
        if (world.noSockets) throw new Error('no network');
        super(url, protocol);
        world.sockets.push(this);
      }
    };
  });
  const viewer = await home.launch('pattern', stage.host);
  await viewer.page.reload();
  await viewer.connected();
  return { viewer, user, page: viewer.page, peer: await viewer.rememberConnection() };
}

/** @param {import('playwright-core').Page} page */
const takeSockets = page =>
  page.evaluate(() => {
    const world = /** @type {any} */ (window);
    world.noSockets = true;
    for (const socket of world.sockets) socket.close();
  });

/** @param {import('playwright-core').Page} page */
const giveSockets = page =>
  page.evaluate(() => {
    /** @type {any} */ (window).noSockets = false;
  });

scenario(
  'a viewer that stays without a socket is told that its connection has expired, and comes back',
  async stage => {
    const { viewer, page, peer } = await watching(stage);
    await takeSockets(page);
    await viewer.picture.goesOn(5);
    assert.ok(await viewer.sameConnection(), 'the picture goes on without a socket');
    await viewer.stateBecomes('reconnecting');
    await until('the page says why', async () => /has expired/.test(await viewer.says()));
    await giveSockets(page);
    await viewer.connected();
    assert.notEqual(await viewer.property('peerId'), peer);
  },
);

scenario('a viewer without a socket is told that its instance was terminated', async stage => {
  const { viewer, user, page } = await watching(stage);
  const rest = await stage.rest(user);
  await takeSockets(page);
  await rest.delete(`/api/v1/instances/${viewer.instanceId}`);
  await viewer.stateBecomes('ended');
  await page.getByRole('button', { name: /launch/i }).waitFor();
});
