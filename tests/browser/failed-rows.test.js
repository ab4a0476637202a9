// An instance that has failed outlives its host as a row, and Restart brings it back under the same id.

import assert from 'node:assert/strict';

import { breakCrasher, crasher } from './harness/apps.js';
import { processesOf, programsOf } from './harness/proc.js';
import { assertProblem, Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4 } },
  apps: paths => [crasher(paths)],
});

/**
 * Somebody whose program crashes until it has failed, and whose host is killed and started again after that.
 *
 * @param {import('./harness/stage.js').Stage} stage
 */
async function failedUnderAnEarlierHost(stage) {
  breakCrasher(stage.host, true);
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('crasher', stage.host);
  const id = viewer.instanceId;
  await viewer.stateBecomes('failed', 90_000);
  await until('its processes have ended', () => processesOf(id).length === 0);
  await stage.host.crash();
  await stage.host.run();
  return { home, page, user, viewer, id };
}

scenario(
  'a failed instance is there after SIGKILL and a start of the host, and Restart works',
  async stage => {
    const { page, user, viewer, id } = await failedUnderAnEarlierHost(stage);
    // The page that stayed open says why, again.
    await viewer.stateBecomes('failed', 90_000);
    await until('the page shows what the program wrote', async () =>
      /boom from the app/.test(await viewer.says()),
    );

    const other = await user.newPage();
    await other.goto(stage.host.origin);
    const card = other.locator(`article[data-instance="${id}"]`);
    await card.waitFor();
    assert.equal(await card.getAttribute('data-status'), 'FAILED');
    assert.match((await card.textContent()) ?? '', /boom from the app/);
    assert.match((await card.textContent()) ?? '', /again and again/);
    const { body } = await (await stage.rest(user)).get('/api/v1/instances');
    assert.deepEqual([body.capacity.used, body.capacity.mine], [0, 0], 'a row takes no place');

    breakCrasher(stage.host, false);
    await card.getByRole('button', { name: 'Restart' }).click();
    // Who waited on the stream page sees it without doing anything.
    await viewer.connected();
    assert.equal(viewer.instanceId, id, 'the same instance');
    await viewer.pattern.appears();
    await page.bringToFront();
    await viewer.click(400, 100);
    await page.keyboard.type('back');
    await viewer.pattern.textBecomes('back');
    await until('the home page says that it runs', async () => {
      return (await card.getAttribute('data-status')) === 'RUNNING';
    });
  },
);

scenario('Restart on the stream page of a failed row works, too', async stage => {
  const { page, viewer, id } = await failedUnderAnEarlierHost(stage);
  await viewer.stateBecomes('failed', 90_000);
  breakCrasher(stage.host, false);
  await page.getByRole('button', { name: /restart/i }).click();
  await viewer.connected();
  assert.equal(viewer.instanceId, id, 'the same instance');
  await viewer.pattern.appears();
});

scenario('a failed row that still crashes fails again with what it wrote', async stage => {
  const { user, id } = await failedUnderAnEarlierHost(stage);
  const client = await stage.rest(user);
  assert.equal((await client.post(`/api/v1/instances/${id}/restart`, {})).status, 202);
  const failed = await until(
    'it has failed again',
    async () => {
      const instance = await client.instance(id);
      if (instance.status !== 'FAILED' || processesOf(id).length > 0) throw new Error(instance.status);
      return instance;
    },
    { within: 90_000 },
  );
  assert.ok(failed.output.some((/** @type {string} */ line) => line.includes('boom from the app')));
});

scenario('Terminate removes a failed row for good', async stage => {
  const { page, home, user, id } = await failedUnderAnEarlierHost(stage);
  await page.goto(stage.host.origin);
  await home.instance(id).waitFor();
  await home.terminate(id);
  await until('it is no longer listed', async () => (await home.instance(id).count()) === 0);
  const client = await stage.rest(user);
  const row = await client.instance(id);
  assert.deepEqual([row.status, row.reason], ['TERMINATED', 'terminated']);
  assertProblem(await client.post(`/api/v1/instances/${id}/restart`, {}), 404, 'unknown_instance');
  assertProblem(await client.delete(`/api/v1/instances/${id}`), 404, 'unknown_instance');
});

scenario(
  "somebody else's failed row is neither listed nor restarted, and one is restarted once",
  async stage => {
    const { user, id } = await failedUnderAnEarlierHost(stage);
    const stranger = await Client.guest(stage.host);
    assert.deepEqual(await stranger.instances(), []);
    assertProblem(await stranger.post(`/api/v1/instances/${id}/restart`, {}), 403, 'not_allowed');
    assertProblem(await stranger.delete(`/api/v1/instances/${id}`), 403, 'not_allowed');
    breakCrasher(stage.host, false);
    const owner = await stage.rest(user);
    const both = await Promise.all([1, 2].map(() => owner.post(`/api/v1/instances/${id}/restart`, {})));
    const statuses = both.map(({ status }) => status).sort();
    assert.equal(statuses[0], 202);
    for (const answer of both.filter(({ status }) => status !== 202)) assertProblem(answer, 409, /^[a-z_]+$/);
    await owner.statusBecomes(id, 'RUNNING');
    assert.equal(programsOf(id, 'xvfb').length, 1, 'one display');
  },
);

scenario('what a failed app wrote is for its owner and administrators', async stage => {
  const { host } = stage;
  breakCrasher(host, true);
  const owner = await stage.client();
  const { instance_id } = await owner.launch('crasher');
  const admin = await stage.client();
  const spectator = await Client.guest(host);
  /** @param {Client} client over the socket @returns {Promise<string[]>} */
  const heard = async client => {
    const socket = await Socket.greeted(client);
    socket.send({ type: 'watch', instance_id });
    // However long it takes to fail.
    await owner.statusBecomes(instance_id, 'FAILED');
    const told = await socket.next('instance', ({ status }) => status === 'FAILED');
    await socket.close();
    return told.output ?? [];
  };
  const read = async (/** @type {Client} */ client) => (await client.instance(instance_id)).output;
  // While it fails, when it has failed, and when it is only a row.
  const during = [owner, admin, spectator].map(heard);
  for (const step of ['during', 'living', 'row']) {
    if (step === 'row') {
      await until('its processes have ended', () => processesOf(instance_id).length === 0);
      await host.crash();
      await host.run();
    }
    const told = await Promise.all(step === 'during' ? during : [owner, admin, spectator].map(heard));
    told.push(...(await Promise.all([owner, admin, spectator].map(read))));
    for (const [index, lines] of told.entries()) {
      const seen = lines.some((/** @type {string} */ line) => line.includes('boom from the app'));
      assert.equal(seen, index % 3 !== 2, `${step} ${index}`);
    }
    assert.deepEqual([told[2], told[5]], [[], []]);
  }
});
