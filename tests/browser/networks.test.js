// Viewers in other networks than the host's: the browser runs in a network namespace behind a router.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { pattern } from './harness/apps.js';
import { program } from './harness/browser.js';
import { Network, noNetworks } from './harness/network.js';
import { Recovery } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { pathOf } from './harness/turn.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const skip = noNetworks();
const network = skip ? null : Network.make();
after(() => network?.destroy());

/** How a host is reached from there. */
const reachable = {
  listen: '[::]',
  sections: {
    server: { insecure_http: true },
    media: { bind: network ? Object.values(network.host) : [] },
  },
  apps: (/** @type {import('./harness/apps.js').Paths} */ paths) => [pattern(paths)],
};

const { scenario } = suite({ ...reachable, program: network?.within(program) });

/**
 * Somebody in the other network watches the pattern.
 *
 * @param {import('./harness/stage.js').Stage} stage
 * @param {string} address of the host
 */
async function watching(stage, address) {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  const page = await (await stage.stranger()).newPage();
  await page.goto(`http://${address}:${stage.host.port}/stream/${instance_id}`);
  return new Viewer(page);
}

/** @param {string} sentence @param {(stage: import('./harness/stage.js').Stage, network: Network) => Promise<void>} act */
function networked(sentence, act) {
  scenario(
    sentence,
    async stage => {
      assert.ok(network);
      network.open();
      for (const way of /** @type {const} */ (['a', 'b'])) network.leave(way);
      await act(stage, network);
    },
    { skip },
  );
}

networked('a viewer that moves to another network has its picture back there', async (stage, net) => {
  net.join('a');
  const viewer = await watching(stage, net.host.four);
  await viewer.connected();
  await viewer.pattern.appears();
  const recovery = new Recovery(viewer);
  await recovery.begin();
  const id = viewer.instanceId;
  const { address } = await pathOf(viewer);
  const peer = await viewer.rememberConnection();
  const since = Date.now();
  net.leave('a');
  await viewer.stateBecomes('reconnecting');
  console.log(await viewer.says());
  net.join('b');
  const { took, told } = await recovery.waitFor(since, async () => {
    const path = await pathOf(viewer);
    return path.address && path.address !== address;
  });
  console.log(took, told, address, await pathOf(viewer), await viewer.sameConnection(), peer);
  assert.equal(viewer.instanceId, id);
});

networked('the picture comes to a viewer that has IPv6 alone', async (stage, net) => {
  net.join('a', { four: false, six: true });
  const viewer = await watching(stage, `[${net.host.six}]`);
  await viewer.connected();
  await viewer.pattern.appears();
  console.log(await pathOf(viewer));
});
