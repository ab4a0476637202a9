// Viewers in other networks than the host's: the browser runs in a network namespace behind a router.

import './harness/apart.js';

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { logging, pattern } from './harness/apps.js';
import { program } from './harness/browser.js';
import { Certificate } from './harness/certificate.js';
import { Home } from './harness/home.js';
import { Host } from './harness/host.js';
import { Keys, Seen } from './harness/keys.js';
import { Network, noNetworks, PUBLIC } from './harness/network.js';
import { temporaryFolder } from './harness/places.js';
import { Recovery } from './harness/recovery.js';
import { Stage } from './harness/stage.js';
import { suite } from './harness/suite.js';
import { pathOf, Turn } from './harness/turn.js';
import { noteToasts, Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const skip = noNetworks();
const network = skip ? null : Network.make();
after(() => network?.destroy());
const certificate = network && new Certificate(temporaryFolder('certificate'));

/** A host that the other network reaches. @param {object} [ice] @param {object} [server] @param {object} [video] */
const reachable = (ice = {}, server = { insecure_http: true }, video = {}) => ({
  listen: '[::]',
  sections: {
    server,
    media: { bind: network ? Object.values(network.host) : [] },
    ice,
    video,
  },
  apps: (/** @type {import('./harness/apps.js').Paths} */ paths) => [pattern(paths), logging(paths)],
});

const { scenario } = suite(
  network && certificate
    ? { ...reachable(), program: network.within(program), flags: [certificate.flag] }
    : {},
);

/** @param {string} sentence @param {(stage: Stage, network: Network) => Promise<void>} act */
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

/**
 * Somebody in the other network opens the page of the pattern.
 *
 * @param {Stage} stage
 * @param {string} address of the host
 */
async function looking(stage, address) {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  await client.statusBecomes(instance_id, 'RUNNING');
  const page = await (await stage.stranger()).newPage();
  await page.addInitScript(noteToasts);
  const viewer = new Viewer(page);
  // What is asked for while its networks change, a browser gives up.
  await until('the page is there', async () => {
    const { protocol } = new URL(stage.host.origin);
    await page.goto(`${protocol}//${address}:${stage.host.port}/stream/${instance_id}`);
    return viewer.property('state');
  });
  return viewer;
}

/** And sees it. @param {Stage} stage @param {string} address */
async function watching(stage, address) {
  const viewer = await looking(stage, address);
  await viewer.connected();
  await viewer.pattern.appears();
  return viewer;
}

/**
 * With a host of its own beside the one of the file.
 *
 * @param {Stage} stage
 * @param {object} ice
 * @param {(stage: Stage) => Promise<void>} act
 * @param {object} [server]
 * @param {object} [video]
 */
async function withHost(stage, ice, act, server, video) {
  const host = await Host.start(reachable(ice, server, video));
  const own = new Stage(host, stage.browser);
  try {
    await act(own);
    await own.clear();
    await host.stop();
    host.removeFolder();
  } catch (error) {
    await own.keepEvidence('with a host of its own');
    throw error;
  } finally {
    await host.destroy();
  }
}

for (const between of ['with a while without any', 'without a moment between']) {
  networked(`a viewer that changes its network, ${between}, has its picture back`, async (stage, net) => {
    net.join('a');
    const viewer = await watching(stage, net.host.four);
    const recovery = new Recovery(viewer);
    await recovery.begin();
    assert.equal((await pathOf(viewer)).address, net.at('a'));
    await viewer.rememberConnection();
    const id = viewer.instanceId;
    const since = Date.now();
    if (between.startsWith('without')) {
      net.join('b');
      net.leave('a');
    } else {
      net.leave('a');
      await until('the page says what is wrong', async () =>
        /This device has no network/.test(await viewer.says()),
      );
      assert.ok(await viewer.sameConnection(), 'that is no reason to give the connection up');
      net.join('b');
    }
    const there = async () => (await pathOf(viewer)).address === net.at('b');
    const { took, told } = await recovery.waitFor(since, there);
    const same = await viewer.sameConnection();
    console.log(`  ${Math.round(took)} ms, back on ${same ? 'the same' : 'another'} connection`);
    assert.match(told.map(({ words }) => words).join(), /Looking for another path to the host/);
    assert.equal(viewer.instanceId, id, 'it is the same instance');
  });
}

networked('a path that is interrupted and comes back costs no connection', async (stage, net) => {
  net.join('a');
  const viewer = await watching(stage, net.host.four);
  const peer = await viewer.rememberConnection();
  net.dropUdp();
  await viewer.stateBecomes('reconnecting');
  net.open();
  await viewer.stateBecomes('connected');
  await viewer.picture.goesOn(10);
  assert.ok(await viewer.sameConnection(), 'the connection is the same');
  assert.equal(await viewer.property('peerId'), peer, 'and so is the peer');
});

networked(
  'behind a firewall without UDP the page says who has to do what, until it is done, where there is no VNC',
  async (stage, net) => {
    const video = { transports: ['webrtc', 'websocket'] };
    await withHost(
      stage,
      {},
      async own => {
        net.join('a');
        net.dropUdp();
        const viewer = await looking(own, net.host.four);
        const said = await until('the page says why', async () => {
          const text = await viewer.says();
          return /No path to the host/.test(text) && text;
        });
        assert.match(said, /no TURN server is configured/);
        assert.match(said, /operator has to let the UDP ports of media\.udp_ports through the firewall/);
        assert.match(said, /or to set up a TURN server and name it in ice\.servers/);
        assert.match(said, /can come by a WebSocket, but only to pages opened by https/);
        net.open();
        await viewer.connected();
        await viewer.pattern.appears();
      },
      undefined,
      video,
    );
  },
);

networked(
  'over http the picture comes through that firewall by VNC, and leaves it for a path when there is one',
  async (stage, net) => {
    net.join('a');
    net.dropUdp();
    const viewer = await looking(stage, net.host.four);
    /** @type {string[]} */
    const said = [];
    viewer.page.on('console', message => said.push(message.text()));
    await viewer.connected();
    assert.equal(await viewer.property('way'), 'vnc');
    assert.deepEqual(said, [], 'noVNC says nothing to the console');
    await viewer.pattern.appears();
    await viewer.picture.goesOn(10);
    net.open();
    await viewer.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await until('it comes by WebRTC', async () => (await viewer.property('way')) === 'webrtc');
    await viewer.picture.goesOn(10);
  },
);

networked(
  'over https the picture comes through that firewall by a WebSocket, and leaves it for a path when there is one',
  async (stage, net) => {
    assert.ok(certificate);
    const server = { tls_certificate: certificate.certificate, tls_key: certificate.key };
    await withHost(
      stage,
      {},
      async own => {
        net.join('a');
        net.dropUdp();
        const viewer = await looking(own, net.host.four);
        const begun = Date.now();
        await viewer.hasTold(/No direct path to the host was found: the picture comes by a WebSocket/);
        await viewer.connected();
        console.log(`  ${Date.now() - begun} ms to the picture`);
        assert.equal(await viewer.property('way'), 'websocket');
        await viewer.pattern.appears();
        await viewer.picture.goesOn(10);
        net.open();
        await viewer.page.evaluate(() => window.dispatchEvent(new Event('online')));
        await until(
          'it comes by WebRTC',
          async () => (await viewer.property('way')) === 'webrtc' && (await pathOf(viewer)).address,
        );
        await viewer.picture.goesOn(10);
        // And in the middle of a stream.
        net.dropUdp();
        const blocked = Date.now();
        await until('it comes by a WebSocket again', async () => {
          const way = await viewer.property('way');
          return way === 'websocket' && (await viewer.property('state')) === 'connected';
        });
        console.log(`  ${Date.now() - blocked} ms until the picture is back`);
        await viewer.picture.goesOn(10);
      },
      server,
    );
  },
);

networked('through that firewall a browser finds its way over a TURN server and TCP', async (stage, net) => {
  const turn = await Turn.start({ address: net.host.four });
  const { stun, udp, tcp } = turn.urls;
  try {
    await withHost(stage, { servers: [stun, udp, tcp], secret_file: turn.secretFile }, async own => {
      net.join('a');
      net.dropUdp();
      const viewer = await watching(own, net.host.four);
      const { type, protocol } = await pathOf(viewer);
      assert.deepEqual([type, protocol], ['relay', 'tcp']);
      await viewer.picture.goesOn(10);
    });
  } finally {
    await turn.destroy();
  }
});

networked('a host behind 1:1 NAT that knows its public address is reached there', async (stage, net) => {
  await withHost(stage, { public_address: [PUBLIC] }, async own => {
    net.join('a');
    net.hideHost(0);
    await (await watching(own, PUBLIC)).picture.goesOn(10);
  });
});

networked(
  'a host behind 1:1 NAT asks for its public address until a STUN server tells it',
  async (stage, net) => {
    net.join('a');
    const stun = await Turn.prepare({ address: net.at('a'), prefix: net.there });
    net.hideHost(stun.port);
    try {
      await withHost(stage, { public_address: 'stun', servers: [stun.urls.stun] }, async own => {
        assert.match(own.host.log(), /no public address/);
        await stun.run();
        await until('the host knows it', () => own.host.log().includes(`public addresses [${PUBLIC}]`));
        await (await watching(own, PUBLIC)).picture.goesOn(10);
      });
    } finally {
      await stun.destroy();
    }
  },
);

networked('the picture comes to a viewer that has IPv6 alone', async (stage, net) => {
  net.join('a', { four: false, six: true });
  const viewer = await watching(stage, `[${net.host.six}]`);
  assert.match((await pathOf(viewer)).address, /^2001:db8:/);
  await viewer.picture.goesOn(10);
});

networked('a viewer without a default route has its picture', async (stage, net) => {
  net.join('a', { only: true });
  const viewer = await watching(stage, net.host.four);
  await viewer.picture.goesOn(10);
});

networked(
  'a key that is held while there is no network for 12 s does not go on afterwards',
  async (stage, net) => {
    net.join('a');
    const page = await (await stage.stranger()).newPage();
    await until('the home page is there', async () => {
      await page.goto(stage.host.entry.replace('[::1]', net.host.four));
      await page.locator('article[data-app]').first().waitFor({ timeout: 10_000 });
      return true;
    });
    const viewer = await new Home(page).launch('logging', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    const keys = await Keys.of(page);
    const seen = new Seen(stage.host, viewer.instanceId);
    await keys.press('Delete', 'Delete');
    await until('it arrived', () => seen.presses().length === 1);
    net.leave('a');
    // As a keyboard does, about 30 times a second.
    for (const begun = Date.now(); Date.now() - begun < 12_000; await sleep(30))
      await keys.repeat('Delete', 'Delete');
    net.join('a');
    await keys.release('Delete', 'Delete');
    await viewer.stateBecomes('connected');
    await viewer.picture.goesOn(2);
    await keys.tap('KeyZ', 'z');
    await until('the next key arrived', () => seen.presses().at(-1) === 'z');
    const deletes = seen.presses().filter(key => key === 'Delete').length;
    assert.ok(deletes < 12, `${deletes} times`);
  },
);
