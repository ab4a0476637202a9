// Viewers whose only way to the host is a TURN server.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { pattern } from './harness/apps.js';
import { KEYS_ON_REQUEST } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { losses, only, pathOf, Turn } from './harness/turn.js';
import { until } from './harness/wait.js';

const turn = await Turn.start();
after(() => turn.destroy());

/** Credentials run out after this long. */
const LIFE = 4_000;

const { scenario } = suite({
  sections: {
    ice: {
      servers: [turn.urls.udp, turn.urls.tcp, turn.urls.tls],
      secret_file: turn.secretFile,
      credentials_life: `${LIFE / 1000}s`,
      transport_policy: 'relay',
    },
    // Nothing else is tried where a relay does not answer at once.
    video: { transports: ['webrtc'] },
    media: { udp_ports: '42000-42199', disconnected_timeout: '5s', failed_timeout: '40s' },
  },
  apps: paths => [pattern(paths)],
  // The TURN server's certificate is its own.
  flags: ['--ignore-certificate-errors'],
  env: KEYS_ON_REQUEST,
});

/** @param {import('./harness/stage.js').Stage} stage @param {'udp' | 'tcp' | 'tls'} way */
async function relayedViewer(stage, way) {
  const { home, page } = await stage.visitor();
  await page.addInitScript(only, turn.urls[way]);
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  return viewer;
}

for (const way of /** @type {const} */ (['udp', 'tcp', 'tls'])) {
  scenario(`the picture arrives through a relay that is reached over ${way}`, async stage => {
    const viewer = await relayedViewer(stage, way);
    const { type, protocol } = await pathOf(viewer);
    assert.deepEqual([type, protocol], ['relay', way]);
    await viewer.picture.goesOn(30);
    const { flips } = await viewer.pattern.appears();
    await viewer.click(400, 100);
    await viewer.pattern.flipsBecome(flips + 1);
  });
}

scenario('credentials are made anew in a live session, and the stream loses nothing', async stage => {
  const viewer = await relayedViewer(stage, 'udp');
  const peer = await viewer.rememberConnection();
  await viewer.picture.goesOn(30);
  const before = await losses(viewer);
  const first = (await pathOf(viewer)).port;
  const ports = new Set([first]);
  const end = Date.now() + 2.5 * LIFE;
  await until(
    'two lives are over',
    async () => {
      ports.add((await pathOf(viewer)).port);
      return Date.now() > end;
    },
    { within: 4 * LIFE, every: 250 },
  );
  const now = await losses(viewer);
  console.log(`  over ${ports.size} relays: ${JSON.stringify({ before, now })}`);
  assert.ok(ports.size >= 3, `each life has a relay of its own: ${[...ports]}`);
  assert.ok(await viewer.sameConnection(), 'the connection is the same');
  assert.equal(await viewer.property('peerId'), peer, 'and so is the peer');
  assert.equal(await viewer.property('state'), 'connected');
  assert.equal(now.packetsLost, before.packetsLost, 'no packet is lost');
  assert.equal(now.nackCount, before.nackCount, 'and none had to be sent again');
  assert.ok(now.gap < 2_000, `the picture never stood still for long: ${now.gap} ms`);
  assert.equal(now.keyFramesDecoded, before.keyFramesDecoded, 'no frame is lost: none had to be made up for');
  await viewer.picture.goesOn(30);
});

scenario('a TURN server that dies and comes back costs a path, not the connection', async stage => {
  const viewer = await relayedViewer(stage, 'udp');
  const peer = await viewer.rememberConnection();
  const { port } = await pathOf(viewer);
  await turn.kill();
  // The one that follows knows nothing of the relays of the first.
  await turn.run();
  await until(
    'there is another path',
    async () => {
      const path = await pathOf(viewer);
      if (path.port === port || path.type !== 'relay') throw new Error(JSON.stringify(path));
      return viewer.sameConnection();
    },
    { within: 60_000 },
  );
  await viewer.stateBecomes('connected');
  await viewer.picture.goesOn(10);
  assert.ok(await viewer.sameConnection(), 'the connection is the same');
  assert.equal(await viewer.property('peerId'), peer, 'and so is the peer');
});
