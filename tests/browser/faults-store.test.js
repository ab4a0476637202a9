// A database that is locked, or gone for a while: whatever streams goes on, launches say so, and all is well when it is
// back, with what was noted meanwhile.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { moving } from './harness/apps.js';
import { killNow, pidOf } from './harness/proc.js';
import { Bystander, KEYS_ON_REQUEST, note, Recovery, rounds } from './harness/recovery.js';
import { assertProblem } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths)],
  env: KEYS_ON_REQUEST,
});

/** Soaks have the patience for a whole minute. */
const AWAY = Number(process.env.HELIOSTAT_DATABASE_AWAY_MS ?? 1_000);
/** A capture may end five times in a minute. */
const times = Math.min(rounds, 3);

/** @param {import('./harness/stage.js').Stage} stage */
async function watched(stage) {
  const { home, user } = await stage.visitor();
  const viewer = await home.launch('moving', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  const { home: other } = await stage.visitor();
  const elsewhere = await other.launch('moving', stage.host);
  await elsewhere.connected();
  const bystander = await Bystander.watching(elsewhere);
  await bystander.settle();
  return { viewer, bystander, rest: await stage.rest(user) };
}

/** Waits until an app can be launched, and ends it. @param {import('./harness/rest.js').Client} rest */
async function launchesWork(rest) {
  const { instance_id } = await until('launches work again', async () => {
    const answer = await rest.post('/api/v1/instances', { app: 'moving' });
    return answer.status === 201 && answer.body;
  });
  rest.host.instances.add(instance_id);
  await rest.delete(`/api/v1/instances/${instance_id}`);
}

/** Another process that holds the database's write lock. @param {string} file */
async function lock(file) {
  const holder = spawn('sqlite3', [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  holder.stdout.on('data', text => {
    said += text;
  });
  holder.stdin.write(".timeout 10000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n");
  await until('the database is locked', () => said.includes('locked'));
  return () => holder.stdin.end('ROLLBACK;\n.quit\n');
}

scenario(
  `a locked database stops no picture, launches answer 503, and all is well afterwards, ${times} times`,
  async stage => {
    const { viewer, bystander, rest } = await watched(stage);
    const recovery = new Recovery(viewer);
    for (let round = 0; round < times; round += 1) {
      await recovery.begin();
      const since = Date.now();
      const free = await lock(join(stage.host.state, 'heliostat.db'));
      const refused = await rest.post('/api/v1/instances', { app: 'moving' });
      assertProblem(refused, 503, 'database_unavailable');
      await bystander.noticedNothing();
      free();
      const freed = Date.now();
      await launchesWork(rest);
      note('the database is locked (until launches work again)', Date.now() - freed);
      const { took } = await recovery.waitFor(since, () => true);
      note('the database is locked (the picture)', took);
    }
    const [mine] = (await rest.instances()).filter(one => one.instance_id === viewer.instanceId);
    assert.equal(mine.status, 'RUNNING');
  },
);

/** Moves the database away, with or without what SQLite keeps beside it. @param {string} file @param {boolean} whole */
function takeAway(file, whole) {
  const parts = whole ? ['', '-wal', '-shm'] : [''];
  for (const part of parts) renameSync(`${file}${part}`, `${file}.away${part}`);
  return () => {
    for (const part of [...parts].reverse()) renameSync(`${file}.away${part}`, `${file}${part}`);
  };
}

scenario(
  `a database that is gone for a while stops no picture, and what was noted meanwhile is stored, ${times} times`,
  async stage => {
    const { viewer, bystander, rest } = await watched(stage);
    const file = join(stage.host.state, 'heliostat.db');
    const capture = `root/instances/${viewer.instanceId}/desktop/stage/capture`;
    const recovery = new Recovery(viewer);
    const ready = async () => (await rest.get('/readyz')).status;
    for (let round = 0; round < times; round += 1) {
      await recovery.begin();
      const giveBack = takeAway(file, round % 2 === 1);
      assertProblem(await rest.post('/api/v1/instances', { app: 'moving' }), 503, 'database_unavailable');
      assert.equal(await ready(), 503);
      const before = Date.now();
      const victim = await pidOf(viewer.instanceId, 'capture');
      await killNow(victim);
      const { took } = await recovery.waitFor(
        before,
        async () => (await pidOf(viewer.instanceId, 'capture')) !== victim,
      );
      note('the database is gone for a while, and the capture is killed (the picture)', took);
      await sleep(AWAY);
      await bystander.noticedNothing();
      assert.ok(!existsSync(file), 'no other database was made in its place');
      giveBack();
      const back = Date.now();
      await launchesWork(rest);
      note('the database is gone for a while (until launches work again)', Date.now() - back);
      await until('the host is ready', async () => (await ready()) === 200);
      await until('the end of the capture is in the history', async () => {
        const { body } = await rest.get(`/api/v1/admin/events?actor=${capture}`);
        return body.events.some(
          (/** @type {any} */ event) => event.kind === 'exited' && event.at >= before && event.at <= back,
        );
      });
      note('the database is gone for a while (until all is noted)', Date.now() - back);
    }
  },
);
