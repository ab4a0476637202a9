// A full disk: whatever streams goes on, launches say so, programs can still fall and rise, and all is well when there is
// room again.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { logging, moving } from './harness/apps.js';
import { fillUp, mayMount } from './harness/disk.js';
import { isAlive, killNow, openDescriptors, pidOf } from './harness/proc.js';
import { Bystander, KEYS_ON_REQUEST, note, Recovery, rounds } from './harness/recovery.js';
import { assertProblem } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths), logging(paths)],
  disk: mayMount ? 16 : 0,
  env: KEYS_ON_REQUEST,
});

/** An app may end four times in a minute. */
const times = Math.min(rounds, 3);
/** Connections of pools come and go. */
const SPARE = 12;

scenario(
  `a full disk stops no picture and no restart, launches answer 503, and all is well afterwards, ${times} times`,
  async stage => {
    const { host } = stage;
    const { home, user } = await stage.visitor();
    const viewer = await home.launch('moving', host);
    await viewer.connected();
    await viewer.pattern.appears();
    const { home: other } = await stage.visitor();
    const elsewhere = await other.launch('moving', host);
    await elsewhere.connected();
    const { home: third } = await stage.visitor();
    const talker = await third.launch('logging', host);
    await talker.connected();
    await talker.pattern.appears();
    const bystander = await Bystander.watching(elsewhere);
    await bystander.settle();
    const rest = await stage.rest(user);
    const id = viewer.instanceId;
    const render = `root/instances/${id}/desktop/stage/render`;
    const peer = await viewer.rememberConnection();
    const recovery = new Recovery(viewer);
    const folders = () => readdirSync(join(host.state, 'instances')).length;
    const lines = (/** @type {RegExp} */ what) => host.log().match(what)?.length ?? 0;
    const [ran, open] = [folders(), openDescriptors(host.pid)];
    let typed = '';
    for (let round = 0; round < times; round += 1) {
      await recovery.begin();
      const [waited, stored] = [lines(/journal cannot be stored/g), lines(/journal is stored again/g)];
      // What SQLite has set aside for itself is no room that others lack.
      execFileSync('sqlite3', [join(host.state, 'heliostat.db'), 'PRAGMA wal_checkpoint(TRUNCATE)']);
      const makeRoom = fillUp(host.state);
      assertProblem(
        await rest.post('/api/v1/instances', { app: 'moving' }),
        503,
        /^(database_unavailable|no_space)$/,
      );
      assert.equal(folders(), ran, 'nothing is left of what was refused');

      // The program falls, and comes back on the same connection.
      const before = Date.now();
      const app = await pidOf(id, 'render');
      await killNow(app);
      const { took } = await recovery.waitFor(before, async () => (await pidOf(id, 'render')) !== app);
      note('the app is killed while the disk is full', took);
      await viewer.pattern.textBecomes('');
      assert.equal(await viewer.property('peerId'), peer);
      assert.ok(await viewer.sameConnection());
      // Another one talks, more than can be kept.
      await talker.click(400, 100);
      await talker.page.keyboard.type('talk');
      typed += 'talk';
      await talker.pattern.textBecomes(typed);
      assert.equal((await rest.get(`/api/v1/instances/${id}/screenshot`)).status, 200);
      await until('the journal waits', () => lines(/journal cannot be stored/g) > waited);
      await bystander.noticedNothing();

      makeRoom();
      const since = Date.now();
      const { instance_id } = await until('launches work again', async () => {
        const answer = await rest.post('/api/v1/instances', { app: 'moving' });
        return answer.status === 201 && answer.body;
      });
      note('the disk is full (until launches work again)', Date.now() - since);
      host.instances.add(instance_id);
      await until('the journal is stored', () => lines(/journal is stored again/g) > stored);
      note('the disk is full (until all is noted)', Date.now() - since);
      await until('the end of the app is in the history', async () => {
        const { body } = await rest.get(`/api/v1/admin/events?actor=${render}`);
        return body.events.some(
          (/** @type {any} */ event) => event.kind === 'exited' && event.at >= before && event.at <= since,
        );
      });
      await rest.delete(`/api/v1/instances/${instance_id}`);
      await until(
        'the instance is gone',
        () => host.processesLeft([instance_id]).length === 0 && folders() === ran,
      );
    }
    assert.ok(isAlive(await pidOf(talker.instanceId, 'render')));
    await until('no descriptor is left open', () => openDescriptors(host.pid) <= open + SPARE);
  },
  { skip: !mayMount && 'only root may mount a small disk' },
);
