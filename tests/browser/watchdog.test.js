// The watchdog: an actor that blocks its thread costs the host, and no program; a host that is stopped costs nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { moving } from './harness/apps.js';
import { pidOf, processesOf, stateOf } from './harness/proc.js';
import { Recovery } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

/** Ticks of 500 ms; the 20 of every other host would take the test's time and show the same. */
const TICKS = 6;

const { scenario } = suite({
  env: { HELIOSTAT_DEBUG_WATCHDOG_TICKS: `${TICKS}` },
  apps: paths => [moving(paths)],
});

/** Somebody who watches a program with a word typed into it. @param {import('./harness/stage.js').Stage} stage */
async function launched(stage) {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('moving', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  await viewer.click(400, 100);
  await page.keyboard.type('kept');
  await viewer.pattern.textBecomes('kept');
  return { viewer, rest: await stage.rest(user), id: viewer.instanceId };
}

/** @param {string} id */
const pids = id => processesOf(id).map(({ pid }) => pid);

scenario(
  'a child that blocks the control thread is named, and the next host finds everything',
  async stage => {
    const { viewer, rest, id } = await launched(stage);
    const before = pids(id);
    const app = await pidOf(id, 'render');
    const child = `root/instances/${id}/desktop/stage/capture`;
    const host = stage.host.process;
    assert.ok(host);
    const ended = once(host, 'exit');
    const { status } = await rest.post('/api/v1/debug/panic', { child, fault: 'block' });
    assert.equal(status, 202);
    const [code, signal] = await ended;
    assert.deepEqual([code, signal], [null, 'SIGABRT']);
    const last = stage.host.log().trim().split('\n').at(-1) ?? '';
    assert.match(last, new RegExp(`not answered for ${TICKS} ticks .*busy with child=${child}.* aborting`));
    assert.deepEqual(pids(id), before, 'nothing of it has ended');
    await viewer.stateBecomes('reconnecting');

    await stage.host.run();
    await viewer.connected();
    await viewer.pattern.textBecomes('kept', 60_000);
    assert.equal(await pidOf(id, 'render'), app);
    assert.deepEqual(pids(id), before, 'the same processes, none twice');
  },
);

scenario('a host that is stopped for longer than the watchdog waits goes on', async stage => {
  const { viewer, id } = await launched(stage);
  const before = pids(id);
  const recovery = new Recovery(viewer);
  await recovery.begin();
  const { pid } = stage.host;
  const logged = stage.host.log().length;
  const since = Date.now();
  process.kill(pid, 'SIGSTOP');
  await until('it is stopped', () => stateOf(pid) === 'T');
  await new Promise(resolve => setTimeout(resolve, TICKS * 500 + 1_500));
  process.kill(pid, 'SIGCONT');
  await recovery.waitFor(since, () => stateOf(pid) !== 'T');
  // Longer than it may be silent.
  await new Promise(resolve => setTimeout(resolve, TICKS * 500));
  assert.equal(stage.host.process?.exitCode, null);
  assert.equal(stage.host.process?.signalCode, null);
  assert.doesNotMatch(stage.host.log().slice(logged), /aborting/);
  await viewer.pattern.textBecomes('kept');
  assert.deepEqual(pids(id), before, 'nothing was taken for hanging');
});
