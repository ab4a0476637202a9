// The host comes and goes: programs live on, viewers come back, and nothing is left when it is told to end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join as path } from 'node:path';

import { moving, stubborn } from './harness/apps.js';
import { join } from './harness/crowd.js';
import { program } from './harness/host.js';
import { catches, isAlive, keeperOf, pidOf, processesOf, stateOf } from './harness/proc.js';
import { note, Recovery, rounds } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths), stubborn(paths)],
});

/** Twice here, ten times in the soak. */
const comings = Math.max(2, Math.floor(rounds / 2));

/**
 * An instance with a word typed into it, and two viewers.
 *
 * @param {import('./harness/stage.js').Stage} stage
 */
async function watchedByTwo(stage) {
  const { home, page } = await stage.visitor();
  const first = await home.launch('moving', stage.host);
  await first.connected();
  await first.pattern.appears();
  await first.click(400, 100);
  await page.keyboard.type('kept');
  await first.pattern.textBecomes('kept');
  // Somebody else's window: one that lies behind another shows no frames.
  const second = await (await stage.stranger()).newPage();
  await second.goto(page.url());
  const viewers = [first, new Viewer(second)];
  await viewers[1].connected();
  return { id: first.instanceId, viewers };
}

/** The pids of everything that an instance runs. @param {import('./harness/host.js').Host} host @param {string} id */
async function pids(host, id) {
  const [xvfb, wm, render, capture] = await Promise.all(
    /** @type {const} */ (['xvfb', 'wm', 'render', 'capture']).map(role => pidOf(id, role)),
  );
  return { keeper: keeperOf(host, id), xvfb, wm, render, capture, count: processesOf(id).length };
}

/** The host says nothing that only a fault would make it say. @param {import('./harness/host.js').Host} host */
function noPanic(host) {
  assert.doesNotMatch(host.log(), /panicked at/);
}

scenario(
  `a killed host is back within moments, ${comings} times in a row, and no program noticed`,
  async stage => {
    const instances = [await watchedByTwo(stage), await watchedByTwo(stage)];
    const before = await Promise.all(instances.map(({ id }) => pids(stage.host, id)));
    const viewers = instances.flatMap(one => one.viewers);
    const watching = viewers.map(viewer => new Recovery(viewer));
    for (let round = 0; round < comings; round += 1) {
      await Promise.all(watching.map(recovery => recovery.begin()));
      const since = Date.now();
      await stage.host.crash();
      await stage.host.run();
      const back = await Promise.all(watching.map(recovery => recovery.waitFor(since, () => true)));
      note('the host is killed (slowest of four viewers)', Math.max(...back.map(({ took }) => took)));
      for (const { told } of back) {
        assert.ok(
          told.some(({ state, words }) => state === 'reconnecting' && words),
          'the page says that it reconnects',
        );
      }
      for (const [index, { id, viewers: two }] of instances.entries()) {
        assert.deepEqual(await pids(stage.host, id), before[index], 'the same processes, none twice');
        for (const viewer of two) await viewer.pattern.textBecomes('kept');
      }
    }
    noPanic(stage.host);
  },
);

scenario('a host that is stopped for a while goes on with the same connections', async stage => {
  const { id, viewers } = await watchedByTwo(stage);
  const before = await pids(stage.host, id);
  const peers = await Promise.all(viewers.map(viewer => viewer.rememberConnection()));
  const watching = viewers.map(viewer => new Recovery(viewer));
  await Promise.all(watching.map(recovery => recovery.begin()));
  const { pid } = stage.host;
  for (let round = 0; round < rounds; round += 1) {
    const since = Date.now();
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped', () => stateOf(pid) === 'T');
    await new Promise(resolve => setTimeout(resolve, 2_000));
    process.kill(pid, 'SIGCONT');
    const back = await Promise.all(
      watching.map(recovery => recovery.waitFor(since, () => stateOf(pid) !== 'T')),
    );
    note('the host is stopped for 2 s', Math.max(...back.map(({ took }) => took)));
  }
  for (const [index, viewer] of viewers.entries()) {
    assert.equal(await viewer.property('peerId'), peers[index]);
    assert.ok(await viewer.sameConnection());
  }
  assert.deepEqual(await pids(stage.host, id), before, 'nothing was taken for hanging');
  noPanic(stage.host);
});

scenario(
  'an upgrade hands over to another binary in the same process, and refuses one that does not start',
  async stage => {
    const { id, viewers } = await watchedByTwo(stage);
    const { host } = stage;
    const before = await pids(host, id);
    const peers = await Promise.all(viewers.map(viewer => viewer.rememberConnection()));
    const { pid } = host;

    const broken = path(host.folder, 'broken');
    writeFileSync(broken, '#!/bin/sh\necho this one is broken >&2\nexit 9\n');
    chmodSync(broken, 0o755);
    // The very same program, where nothing can make sandboxes: only root's programs need one.
    const bare = path(host.folder, 'bare');
    const covered = `mount --bind /dev/null /usr/bin/bwrap && exec ${program} "$@"`;
    writeFileSync(bare, `#!/bin/sh\nexec unshare --mount sh -c '${covered}' sh "$@"\n`);
    chmodSync(bare, 0o755);
    for (const [binary, why] of [
      [broken, /this one is broken/],
      ...(process.getuid?.() === 0 ? [[bare, /no_sandbox/]] : []),
      ['/bin/true', /not a heliostat/],
      [host.config, /cannot be run/],
    ]) {
      const { code, said } = await host.command('upgrade', '--binary', String(binary));
      assert.equal(code, 1, said);
      assert.match(said, /goes on as it was/);
      assert.match(said, /** @type {RegExp} */ (why));
    }
    for (const [index, viewer] of viewers.entries()) {
      assert.equal(await viewer.property('peerId'), peers[index], 'a refused upgrade disturbs nobody');
      assert.ok(await viewer.sameConnection());
    }

    const watching = viewers.map(viewer => new Recovery(viewer));
    await Promise.all(watching.map(recovery => recovery.begin()));
    for (let round = 0; round < comings; round += 1) {
      const since = Date.now();
      const { code, said } = await host.command('upgrade');
      assert.equal(code, 0, said);
      assert.match(said, new RegExp(`serves, pid ${pid}`));
      const back = await Promise.all(watching.map(recovery => recovery.waitFor(since, () => true)));
      note('upgrade (slowest of two viewers)', Math.max(...back.map(({ took }) => took)));
      assert.deepEqual(await pids(host, id), before, 'the same processes, none twice');
      for (const viewer of viewers) await viewer.pattern.textBecomes('kept');
    }

    // A binary at another place: it runs the capture, too, which is therefore started anew; the program is not.
    const other = path(host.folder, 'heliostat-next');
    copyFileSync(program, other);
    chmodSync(other, 0o755);
    const { code, said } = await host.command('upgrade', '--binary', other);
    assert.equal(code, 0, said);
    assert.ok(isAlive(pid), 'the process is the same');
    await Promise.all(watching.map(recovery => recovery.waitFor(Date.now(), () => true)));
    assert.equal(await pidOf(id, 'render'), before.render);
    for (const viewer of viewers) await viewer.pattern.textBecomes('kept');
    await stage.end(viewers[0]);
    assert.ok(!isAlive(before.keeper), 'a keeper from before the upgrade leaves no zombie');
    noPanic(host);
  },
);

scenario('a new binary that a signal ends before it serves is followed by the one before', async stage => {
  const { id, viewers } = await watchedByTwo(stage);
  const { host } = stage;
  const before = await pids(host, id);
  const { pid } = host;
  const other = path(host.folder, 'heliostat-dying');
  copyFileSync(program, other);
  chmodSync(other, 0o755);
  // On a busy machine it may serve before it is hit, and is upgraded then.
  const refused = await until('it is hit before it serves', async () => {
    const done = host.command('upgrade', '--binary', other);
    const hit = await diesStarting(pid, done);
    const { code, said } = await done;
    return hit && { code, said };
  });
  assert.equal(refused.code, 1, refused.said);
  assert.match(refused.said, /did not serve: it was ended by SIGABRT/);
  assert.match(host.log(), /the new binary did not serve: it was ended by SIGABRT/);
  assert.ok(isAlive(pid), 'the process is the same');
  assert.equal(await pidOf(id, 'render'), before.render);
  for (const viewer of viewers) {
    await viewer.connected();
    await viewer.pattern.textBecomes('kept');
  }
  await stage.end(viewers[0]);
  noPanic(host);
});

/**
 * Has a process abort as soon as it would hear of it, which a host does only between an exec and its service.
 *
 * @param {number} pid @param {Promise<unknown>} done until when to look
 * @returns {Promise<boolean>} whether it did
 */
async function diesStarting(pid, done) {
  let over = false;
  void done.finally(() => {
    over = true;
  });
  while (!over) {
    if (catches(pid, constants.signals.SIGABRT)) {
      process.kill(pid, 'SIGABRT');
      return true;
    }
    await new Promise(resolve => setImmediate(resolve));
  }
  return false;
}

scenario('SIGTERM drains twenty viewers of whom five are connecting, and leaves nothing', async stage => {
  const { id, viewers } = await watchedByTwo(stage);
  await join(viewers[0].page, { instance: id, connected: 13, connecting: 5 });
  const began = Date.now();
  await stage.host.stop();
  const took = Date.now() - began;
  note('SIGTERM with 20 viewers', took);
  assert.ok(took < 25_000, `it took ${took} ms`);
  await viewers[0].stateBecomes('ended').catch(() => viewers[0].stateBecomes('reconnecting'));
  noPanic(stage.host);
  await stage.host.run();
});

scenario('a second SIGTERM ends the host at once, and what it left ends by itself', async stage => {
  const { home } = await stage.visitor();
  const viewer = await home.launch('stubborn', stage.host);
  await viewer.connected();
  const child = stage.host.process;
  assert.ok(child?.pid);
  const already = stage.host.log().length;
  child.kill('SIGTERM');
  await until('it drains', () => /stopping, instances end/.test(stage.host.log().slice(already)));
  assert.ok(isAlive(child.pid), 'the app takes its time');
  const began = Date.now();
  child.kill('SIGTERM');
  await until('it has ended', () => child.exitCode !== null || child.signalCode !== null, { every: 10 });
  const took = Date.now() - began;
  note('a second SIGTERM', took);
  assert.ok(took < 5_000, `it took ${took} ms`);
  assert.equal(child.exitCode, 0);
  await stage.host.assertNothingLeft();
  await stage.host.run();
});

scenario('what cannot end while the host ends is killed by it, and named', async stage => {
  const client = await stage.client();
  const { instance_id: id } = await client.launch('stubborn');
  await client.statusBecomes(id, 'RUNNING');
  const keeper = keeperOf(stage.host, id);
  const child = stage.host.process;
  const already = stage.host.log().length;
  const began = Date.now();
  child?.kill('SIGTERM');
  // The program takes its time, so that its keeper is still at it. The host continues it again and again.
  const holds = spawn('sh', ['-c', `while kill -STOP ${keeper}; do :; done`], { stdio: 'ignore' });
  try {
    await until('the host has ended', () => child?.exitCode !== null, { within: 40_000 });
  } finally {
    holds.kill('SIGKILL');
  }
  note('SIGTERM with a keeper that is held stopped', Date.now() - began);
  assert.equal(child?.exitCode, 0);
  assert.match(
    stage.host.log().slice(already),
    new RegExp(`instance=${id} did not end in time and was killed`),
  );
  await stage.host.assertNothingLeft();
  await stage.host.run();
});
