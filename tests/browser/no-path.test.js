// Viewers without a way to the host: the page says why, and what the operator must do.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { pattern } from './harness/apps.js';
import { Host } from './harness/host.js';
import { Stage } from './harness/stage.js';
import { suite } from './harness/suite.js';
import { Turn } from './harness/turn.js';
import { until } from './harness/wait.js';

const turn = await Turn.start();
after(() => turn.destroy());

const { scenario } = suite({
  sections: {
    ice: {
      servers: [turn.urls.udp],
      secrets: ['not-the-secret-of-the-turn-server'],
      transport_policy: 'relay',
    },
    // By VNC every browser sees something.
    video: { transports: ['webrtc', 'websocket'] },
  },
  apps: paths => [pattern(paths)],
});

/** Runs in the page: nothing can come by a WebSocket, as on pages without encryption. */
const withoutSocket = () => Object.defineProperty(window, 'VideoDecoder', { value: undefined });

scenario('a wrong secret is told for what it is', async stage => {
  const { home, page } = await stage.visitor();
  await page.addInitScript(withoutSocket);
  const viewer = await home.launch('pattern', stage.host);
  const said = await until('the page says why', async () => {
    const text = await viewer.says();
    return /No path to the host/.test(text) && text;
  });
  assert.match(said, /TURN server refuses the credentials/);
  assert.match(said, /operator has to give host and TURN server the same secret \(ice\.secret_file\)/);
  assert.match(said, /heliostat check-ice/);
  const { code, said: report } = await stage.host.command('check-ice', '--json');
  assert.equal(code, 1);
  assert.match(report, /"code": "wrong_credentials"/);
  assert.doesNotMatch(report + (await stage.host.command('config')).said, /not-the-secret/);
});

scenario('a host that wants relays and has none says what it lacks', async stage => {
  const host = await Host.start({
    sections: {
      ice: { transport_policy: 'relay' },
      video: { transports: ['webrtc', 'websocket'] },
    },
    apps: paths => [pattern(paths)],
  });
  const other = new Stage(host, stage.browser);
  try {
    const { home, page } = await other.visitor();
    await page.addInitScript(withoutSocket);
    const viewer = await home.launch('pattern', host);
    const said = await until('the page says why', async () => {
      const text = await viewer.says();
      return /No path to the host/.test(text) && text;
    });
    assert.match(said, /no TURN server is configured/);
    assert.match(said, /operator has to set ice\.servers and ice\.secret_file/);
    assert.match(host.log(), /ice\.transport_policy = relay without a TURN server/);

    // The last rung of the ladder: it goes on trying, and the user can load the page anew.
    const reload = viewer.page.getByRole('button', { name: 'Reload the page' });
    await reload.waitFor({ timeout: 60_000 });
    const id = viewer.instanceId;
    await viewer.page.evaluate(() => Object.assign(window, { testBefore: true }));
    await reload.click();
    await until('the page is another', () => viewer.page.evaluate(() => !('testBefore' in window)));
    assert.equal(viewer.instanceId, id, 'of the same instance');
    await until('it tries anew', async () => /No path to the host/.test(await viewer.says()));
    assert.ok(!(await reload.isVisible()), 'with all of the ladder before it');
    await other.clear();
    await host.stop();
    host.removeFolder();
  } finally {
    await host.destroy();
  }
});
