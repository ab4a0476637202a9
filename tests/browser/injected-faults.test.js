// Faults that debug builds inject: who may ask for them, and that they cost what they hit, and nobody else.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { Client } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ panics: true, apps: paths => [pattern(paths)] });

const ROUTE = '/api/v1/debug/panic';

scenario('a fault is injected only by who has the token, and only into a child that lives', async stage => {
  const stranger = new Client(stage.host);
  const refused = await stranger.post(ROUTE, { child: 'root/store' });
  assert.deepEqual([refused.status, refused.body.code], [401, 'auth_required']);
  const client = await Client.withSession(stage.host);
  const foreign = await client.ask('POST', ROUTE, { child: 'root/store' }, { origin: 'http://evil.example' });
  assert.equal(foreign.status, 403);
  const unknown = await client.post(ROUTE, { child: 'root/nobody' });
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'unknown_child']);
  const senseless = await client.post(ROUTE, { child: 'root/store', fault: 'explode' });
  assert.deepEqual([senseless.status, senseless.body.code], [400, 'bad_request']);
});

for (const fault of ['panic', 'kill', 'stall']) {
  scenario(`a ${fault} of an instance's actor leaves picture and connection alone`, async stage => {
    const { home, page } = await stage.visitor();
    const viewer = await home.launch('pattern', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    await viewer.rememberConnection();
    const client = await Client.withSession(stage.host);
    const child = `root/instances/${viewer.instanceId}/actor`;
    const { status } = await client.post(ROUTE, { child, fault });
    assert.equal(status, 202);
    await viewer.click(400, 100);
    await page.keyboard.type('unharmed');
    await viewer.pattern.textBecomes('unharmed');
    assert.ok(await viewer.sameConnection(), 'the same RTCPeerConnection, connected');
    // Its next generation answers, at once or when the stall has been noticed.
    const owner = await Client.of(stage.host, page.context());
    const restart = `/api/v1/instances/${viewer.instanceId}/restart`;
    await until('it is restarted', async () => (await owner.post(restart, {})).status === 202, {
      within: 60_000,
    });
    await viewer.pattern.textBecomes('', 60_000);
  });
}
