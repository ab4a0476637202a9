// Encoders that fail in use. What provokes it is in development builds only.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { pattern, still } from './harness/apps.js';
import { programsOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const sections = { instances: { capacity: 2 } };
const best = suite({
  sections,
  apps: paths => [pattern(paths)],
  env: { HELIOSTAT_FAIL_ENCODER: 'libx264' },
});
const every = suite({
  sections,
  apps: paths => [pattern(paths)],
  env: { HELIOSTAT_FAIL_ENCODER: 'x264enc,openh264enc,libx264,vp8enc' },
});

const inFull = suite({
  sections: { ...sections, video: { chroma: '444' } },
  apps: paths => [still(paths)],
  env: { HELIOSTAT_FAIL_ENCODER: 'x264enc-444' },
});

/** @param {import('./harness/host.js').Host} host @param {string} id */
const failures = (host, id) =>
  JSON.parse(readFileSync(join(host.state, 'instances', id, 'encoders.json'), 'utf8'));

best.scenario('an encoder that fails is followed by the next one, on the same connection', async stage => {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  const id = viewer.instanceId;
  await viewer.connected();
  const peer = await viewer.rememberConnection();
  // The picture moves all the time.
  await until('the first encoder has failed', () => failures(stage.host, id).libx264 === 1);
  await viewer.connected();
  await viewer.click(400, 100);
  await page.keyboard.type('goes on');
  await viewer.pattern.textBecomes('goes on');
  assert.equal(await viewer.property('peerId'), peer);
  assert.ok(await viewer.sameConnection());
  assert.deepEqual(failures(stage.host, id), { libx264: 1 }, 'the next one holds');
  assert.equal((await (await stage.rest(user)).instance(id)).status, 'RUNNING');

  // The next host knows it and takes the capture over as it runs.
  const capture = programsOf(id, 'capture')[0]?.pid;
  await stage.host.crash();
  await stage.host.run();
  await viewer.connected();
  await viewer.pattern.textBecomes('goes on', 60_000);
  assert.equal(programsOf(id, 'capture')[0]?.pid, capture);
});

inFull.scenario('colours in full that cannot be encoded cost nobody the picture', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('still', stage.host);
  const id = viewer.instanceId;
  await viewer.connected();
  const peer = await viewer.rememberConnection();
  await until('it has failed', () => failures(stage.host, id)['x264enc-444'] === 1);
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  // It would be tried again after seconds of rest.
  await sleep(8_000);
  await page.keyboard.type('goes on');
  await viewer.pattern.textBecomes('goes on');
  assert.deepEqual(failures(stage.host, id), { 'x264enc-444': 1 }, 'it is not tried again');
  assert.equal(await viewer.property('peerId'), peer);
});

every.scenario('when all encoders fail, the instance has failed and says so', async stage => {
  const { home, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  const id = viewer.instanceId;
  await viewer.stateBecomes('failed', 90_000);
  const failed = await (await stage.rest(user)).instance(id);
  assert.deepEqual([failed.status, failed.reason], ['FAILED', 'encoders_failed']);
  for (const element of ['libx264', 'x264enc', 'openh264enc']) {
    assert.match(failed.message, new RegExp(`${element} said “[^”]*told to fail`));
    await viewer.tells(new RegExp(element));
  }
});
