// Clocks that lie: forty days off when the host starts, an hour back while it runs. Nothing is lost, nothing is wrong, nobody storms.

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { moving } from './harness/apps.js';
import { temporaryFolder } from './harness/places.js';
import { isAlive, keeperOf, pidOf, processesOf } from './harness/proc.js';
import { Recovery } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const FAKE = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map(where => `/usr/lib/${where}/faketime/libfaketimeMT.so.1`)
  .find(path => existsSync(path));
const FORTY_DAYS = 40 * 86_400;
const HOUR = 3600;
const NIGHT = 9 * HOUR;
/** Longer than anything waits that may count as hanging or gone, ms. */
const SUSPENDED = 40_000;
/** While nothing happens, the host is watched for so long, ms, and writes no more lines than these. */
const [CALM, LINES] = [6_000, 20];

const clock = join(temporaryFolder(), 'clock');
/** Puts the host's clock forward or back, at once. @param {number} seconds */
const put = seconds => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
put(0);

const { scenario } = suite({
  sections: { instances: { capacity: 4 } },
  apps: paths => [{ ...moving(paths), home: 'keep' }],
  env: {
    LD_PRELOAD: FAKE ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    // Of a machine whose clock is wrong, the one that nobody sets is right.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  },
});

/** What the host says is the time, by its answer's head. @param {import('./harness/rest.js').Client} client */
const told = async client => Date.parse(String((await client.get('/healthz')).headers.date));

scenario(
  'a clock that is forty days off at the start, or is put back an hour, costs nobody anything',
  async stage => {
    const { home, user } = await stage.visitor();
    const viewer = await home.launch('moving', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    const id = viewer.instanceId;
    const rest = await stage.rest(user);
    const made = await rest.post(`/api/v1/instances/${id}/links`, {
      role: 'spectator',
    });
    assert.equal(made.status, 201);
    const before = {
      keeper: keeperOf(stage.host, id),
      render: await pidOf(id, 'render'),
    };

    const restarted = async () => {
      const answer = await rest.post(`/api/v1/instances/${id}/restart`, {});
      assert.ok([200, 202, 204].includes(answer.status), `${answer.status}`);
      await until('its program runs anew', async () => {
        const { body } = await rest.get(`/api/v1/instances/${id}`);
        return body.status === 'RUNNING' && (await pidOf(id, 'render')) !== before.render;
      });
      before.render = await pidOf(id, 'render');
      before.keeper = keeperOf(stage.host, id);
    };
    const quiet = async () => {
      const lines = () => stage.host.log().split('\n').length;
      const begun = lines();
      await sleep(CALM);
      assert.ok(lines() - begun < LINES, stage.host.log().slice(-4000));
    };

    for (const off of [FORTY_DAYS, -FORTY_DAYS]) {
      const recovery = new Recovery(viewer);
      await recovery.begin();
      const since = Date.now();
      await stage.host.crash();
      put(off);
      await stage.host.run();
      await recovery.waitFor(since, () => true);
      assert.ok(Math.abs((await told(rest)) - Date.now() - off * 1000) < 60_000, 'its clock is off');
      assert.deepEqual({ keeper: keeperOf(stage.host, id), render: await pidOf(id, 'render') }, before);
      await restarted();
      await viewer.pattern.appears();
      await quiet();
    }

    // Right again, and then an hour back while everything runs.
    await stage.host.crash();
    put(0);
    await stage.host.run();
    await viewer.connected();
    put(-HOUR);
    await until('its clock is put back', async () => (await told(rest)) < Date.now() - HOUR * 500);
    await restarted();
    await viewer.pattern.appears();
    await quiet();

    const { body } = await rest.get(`/api/v1/instances/${id}/links`);
    const links = /** @type {{ link_id: string }[]} */ (body.links);
    assert.deepEqual(
      links.map(link => link.link_id),
      [made.body.link_id],
      'its link is there',
    );
    const client = await stage.client();
    const { body: happened } = await client.get(`/api/v1/admin/events?limit=1000&actor=root/instances/${id}`);
    const restarts = happened.events.filter(
      (/** @type {{ kind: string }} */ event) => event.kind === 'instance_restarted',
    );
    assert.equal(restarts.length, 3, 'each restart is known');
    // What is written last counts, whatever the time of it: the next host finds the instance as it is.
    await stage.host.crash();
    await stage.host.run();
    await until('it runs', async () => (await rest.instance(id)).status === 'RUNNING');
    await viewer.connected();
    await viewer.pattern.appears();
    assert.equal(await pidOf(id, 'render'), before.render);
    put(0);
    await stage.end(viewer);
  },
  { skip: FAKE ? false : 'libfaketime is not installed' },
);

scenario(
  'a machine that is suspended for the night goes on with every program, also those that nobody watches',
  async stage => {
    const { home, user } = await stage.visitor();
    const viewer = await home.launch('moving', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    await viewer.click(400, 100);
    await viewer.page.keyboard.type('kept');
    await viewer.pattern.textBecomes('kept');
    const rest = await stage.rest(user);
    const { instance_id: left } = await rest.launch('moving');
    await until('both run', async () => (await rest.instance(left)).status === 'RUNNING');
    const ids = [viewer.instanceId, left];
    const parts = () =>
      Promise.all(
        ids.flatMap(id => [
          keeperOf(stage.host, id),
          .../** @type {const} */ (['xvfb', 'wm', 'render']).map(role => pidOf(id, role)),
        ]),
      );
    const before = await parts();
    const suspended = [
      stage.host.pid,
      ...ids.flatMap(id => [keeperOf(stage.host, id), ...processesOf(id).map(({ pid }) => pid)]),
    ];
    /** What is short-lived may have ended. @param {NodeJS.Signals} signal */
    const sendAll = signal => {
      for (const pid of suspended) if (isAlive(pid)) process.kill(pid, signal);
    };
    const lines = stage.host.log().split('\n').length;

    sendAll('SIGSTOP');
    await sleep(SUSPENDED);
    put(NIGHT);
    sendAll('SIGCONT');

    await viewer.connected();
    await viewer.pattern.textBecomes('kept');
    await sleep(CALM);
    assert.deepEqual(await parts(), before, 'the same processes');
    for (const id of ids) assert.equal((await rest.instance(id)).status, 'RUNNING');
    await viewer.page.keyboard.type('!');
    await viewer.pattern.textBecomes('kept!');
    assert.ok(stage.host.log().split('\n').length - lines < 100, stage.host.log().slice(-8000));
    put(0);
    await stage.end(viewer);
  },
  { skip: FAKE ? false : 'libfaketime is not installed' },
);
