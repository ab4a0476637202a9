// How instances end, and that nothing of them is left.

import assert from 'node:assert/strict';

import { breakCrasher, brief, crasher, missing, pattern, windowless } from './harness/apps.js';
import { openDescriptors, processesOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8, readiness_timeout: '5s' } },
  apps: paths => [pattern(paths), crasher(paths), brief(paths), missing(), windowless()],
});

scenario('a crash loop ends in FAILED with the output shown, and Restart works', async stage => {
  breakCrasher(stage.host, true);
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('crasher', stage.host);
  const id = viewer.instanceId;
  await viewer.stateBecomes('failed', 90_000);
  await until('the page shows what the program wrote', async () =>
    /boom from the app/.test(await viewer.says()),
  );
  const failed = await (await stage.rest(user)).instance(id);
  assert.equal(failed.status, 'FAILED');
  assert.match(failed.reason, /^[a-z_]+$/);
  assert.ok(failed.message.length > 10, failed.message);
  assert.ok(failed.output.some((/** @type {string} */ line) => line.includes('boom from the app')));

  breakCrasher(stage.host, false);
  await viewer.rememberConnection();
  await page.getByRole('button', { name: /restart/i }).click();
  await viewer.connected();
  assert.equal(viewer.instanceId, id, 'the same instance');
  await viewer.pattern.appears();
  assert.ok(await viewer.sameConnection(), 'the page kept its connection');
  await viewer.click(400, 100);
  await page.keyboard.type('up again');
  await viewer.pattern.textBecomes('up again');
});

scenario('an app that begins to crash in use fails on the living page, and Restart works', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('crasher', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  breakCrasher(stage.host, true);
  const { pid } = processesOf(viewer.instanceId).find(({ role }) => role === 'render') ?? { pid: 0 };
  process.kill(pid, 'SIGKILL');
  await viewer.stateBecomes('failed', 90_000);
  await until('the page shows what the program wrote', async () =>
    /boom from the app/.test(await viewer.says()),
  );
  breakCrasher(stage.host, false);
  await page.getByRole('button', { name: /restart/i }).click();
  await viewer.connected();
  await viewer.pattern.appears();
});

scenario('a command that does not exist fails with that reason', async stage => {
  const { home, user } = await stage.visitor();
  const viewer = await home.launch('missing', stage.host);
  await viewer.stateBecomes('failed');
  await viewer.tells(/\/nonexistent\/program/);
  const failed = await (await stage.rest(user)).instance(viewer.instanceId);
  assert.deepEqual([failed.status, failed.reason], ['FAILED', 'command_not_found']);
});

scenario('a program that shows no window in time has failed as not ready', async stage => {
  const client = await stage.client();
  const { instance_id } = await client.launch('windowless');
  const failed = await client.statusBecomes(instance_id, 'FAILED');
  assert.equal(failed.reason, 'not_ready');
});

scenario(
  'an app that exits with success ends as TERMINATED, and the page offers to launch it again',
  async stage => {
    const { home, page, user } = await stage.visitor();
    const viewer = await home.launch('brief', stage.host);
    const id = viewer.instanceId;
    await viewer.connected();
    const again = page
      .getByRole('button', { name: /launch again/i })
      .or(page.getByRole('link', { name: /launch again/i }));
    await again.waitFor({ timeout: 60_000 });
    const rest = await stage.rest(user);
    await rest.statusBecomes(id, 'TERMINATED');
    assert.equal((await rest.instance(id)).reason, 'app_exited');
    await until('no process is left', () => processesOf(id).length === 0);
    await again.click();
    await until('another instance', () => /\/stream\//.test(page.url()) && viewer.instanceId !== id);
    stage.host.instances.add(viewer.instanceId);
    await viewer.connected();
  },
);

scenario('Terminate frees everything', async stage => {
  const { home, page, user } = await stage.visitor();
  const launchAndTerminate = async () => {
    const viewer = await home.launch('pattern', stage.host);
    const id = viewer.instanceId;
    await viewer.connected();
    await viewer.pattern.appears();
    const roles = new Set(processesOf(id).map(({ role }) => role));
    for (const role of ['xvfb', 'wm', 'render', 'capture']) assert.ok(roles.has(role), `there was a ${role}`);
    await page.goto(stage.host.origin);
    await home.terminate(id);
    await until('no process is left', () => processesOf(id).length === 0);
    // Looked at once: between two looks it may go.
    await until('the entry says so or is gone', () =>
      home
        .instance(id)
        .evaluateAll(entries => entries.every(entry => entry.getAttribute('data-status') === 'TERMINATED')),
    );
    const row = await (await stage.rest(user)).instance(id);
    assert.deepEqual([row.status, row.reason], ['TERMINATED', 'terminated']);
  };
  await launchAndTerminate();
  await stage.host.assertNothingLeft({ alive: true });
  const { body } = await (await stage.rest(user)).get('/api/v1/instances');
  assert.deepEqual([body.capacity.used, body.capacity.mine], [0, 0]);

  // The first time around, the host opened what it keeps.
  const before = openDescriptors(stage.host.pid);
  await launchAndTerminate();
  await until('no descriptor is left', () => {
    const now = openDescriptors(stage.host.pid);
    if (now > before) throw new Error(`${now} descriptors, ${before} before`);
    return true;
  });
});

scenario('who watches an instance is told when its owner ends it', async stage => {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  const rest = await stage.rest(user);
  const answer = await rest.delete(`/api/v1/instances/${viewer.instanceId}`);
  assert.equal(answer.status, 202);
  await page
    .getByRole('button', { name: /launch again/i })
    .or(page.getByRole('link', { name: /launch again/i }))
    .waitFor();
  await viewer.tells(/terminated/i);
  const twice = await rest.delete(`/api/v1/instances/${viewer.instanceId}`);
  assert.ok([202, 404].includes(twice.status), `asked twice: ${twice.status}`);
});
