// An instance that nobody watches is ended after a time, and the home page says when.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { pidOf, processesOf, programsOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const IDLE = 12_000;
const { scenario } = suite({
  sections: {
    instances: { capacity: 4, idle_timeout: '12s', capture_idle_timeout: '2s' },
    session: { resume_grace: '1s' },
  },
  apps: paths => [pattern(paths)],
});

scenario('an instance without viewers counts down on the home page and is then ended', async stage => {
  const { home, page, user } = await stage.visitor();
  const rest = await stage.rest(user);
  const viewer = await home.launch('pattern', stage.host);
  const id = viewer.instanceId;
  await viewer.connected();
  assert.equal((await rest.instance(id)).reap_at, null, 'not while somebody watches');

  await page.goto(stage.host.origin);
  const { reap_at } = await until('the end is announced', async () => {
    const instance = await rest.instance(id);
    return instance.reap_at !== null && instance;
  });
  const left = reap_at - Date.now();
  assert.ok(left > 0 && left <= IDLE, `${left} ms are left`);
  const countdown = /ends in (\d+):(\d\d)/;
  const shown = async () => {
    const [, minutes, seconds] = countdown.exec((await home.instance(id).textContent()) ?? '') ?? [];
    return minutes === undefined ? null : Number(minutes) * 60 + Number(seconds);
  };
  const first = await until('the countdown is shown', shown);
  assert.ok(first <= IDLE / 1000, `${first} s`);
  await until('the countdown goes down', async () => ((await shown()) ?? first) < first);

  await until('the instance is gone', () => processesOf(id).length === 0);
  await until('the row says so', async () => (await rest.instance(id)).status === 'TERMINATED');
  assert.equal((await rest.instance(id)).reason, 'idle');
});

scenario('an instance that is watched, or rejoined in time, lives on', async stage => {
  const { home, page, user } = await stage.visitor();
  const rest = await stage.rest(user);
  const viewer = await home.launch('pattern', stage.host);
  const id = viewer.instanceId;
  await viewer.connected();
  await page.goto(stage.host.origin);
  const { reap_at } = await until('the end is announced', async () => {
    const instance = await rest.instance(id);
    return instance.reap_at !== null && instance;
  });
  const back = await home.rejoin(id);
  await back.connected();
  await until('the announced end has passed', () => Date.now() > reap_at + 1_500, { within: IDLE + 10_000 });
  const instance = await rest.instance(id);
  assert.deepEqual([instance.status, instance.reap_at], ['RUNNING', null]);
  await back.picture.goesOn();
});

scenario(
  'the pictures of an instance that nobody watches are not taken, and are there for who comes back',
  async stage => {
    const { home, page, user } = await stage.visitor();
    const rest = await stage.rest(user);
    const viewer = await home.launch('pattern', stage.host);
    const id = viewer.instanceId;
    await viewer.connected();
    await viewer.pattern.appears();
    const program = await pidOf(id, 'render');
    assert.equal(programsOf(id, 'capture').length, 1);
    const { restarts } = await rest.instance(id);

    await page.goto(stage.host.origin);
    await until('its capture has ended', () => programsOf(id, 'capture').length === 0);
    const shot = await rest.get(`/api/v1/instances/${id}/screenshot`);
    assert.equal(shot.status, 200, 'it is shown on the home page all the same');

    await stage.host.crash();
    await stage.host.run();
    await rest.statusBecomes(id, 'RUNNING');
    assert.equal(programsOf(id, 'capture').length, 0, 'the next host takes none, either');

    const back = await home.rejoin(id);
    await back.connected();
    await back.pattern.appears();
    await back.picture.goesOn();
    assert.equal(programsOf(id, 'capture').length, 1);
    assert.equal(await pidOf(id, 'render'), program, 'the program has noticed nothing');
    const instance = await rest.instance(id);
    assert.deepEqual([instance.status, instance.restarts], ['RUNNING', restarts], 'it was no fault');
  },
);
