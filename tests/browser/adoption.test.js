// What a new host knows of a program that the host before it had started.

import assert from 'node:assert/strict';

import { patternWhenTold, tellPattern, windowless } from './harness/apps.js';
import { processesOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4, readiness_timeout: '25s' } },
  apps: paths => [patternWhenTold(paths), windowless()],
});

/** The program's first process; those that it starts come later. @param {string} id */
function renderOf(id) {
  const pids = processesOf(id)
    .filter(({ role }) => role === 'render')
    .map(({ pid }) => pid);
  return pids.length === 0 ? null : Math.min(...pids);
}

scenario(
  'a program that is still starting when its host dies is waited for by the next host',
  async stage => {
    tellPattern(stage.host, false);
    const client = await stage.client();
    const { instance_id: id } = await client.launch('told');
    const pid = await until('the program runs', () => renderOf(id));
    await stage.host.crash();
    await stage.host.run();
    const adopted = await until('it is adopted and the picture is there', async () => {
      const instance = await client.instance(id);
      return instance.reason === 'app_starting' && instance;
    });
    assert.equal(adopted.status, 'INITIALIZING', 'it shows no window yet');
    tellPattern(stage.host, true);
    await client.statusBecomes(id, 'RUNNING');
    assert.equal(renderOf(id), pid, 'the same process');

    // Now it has been ready, which the host after that knows.
    await stage.host.crash();
    await stage.host.run();
    await client.statusBecomes(id, 'RUNNING');
    assert.equal(renderOf(id), pid, 'the same process');
  },
);

scenario(
  'an adopted program that never becomes ready fails when the rest of its time is over',
  async stage => {
    const client = await stage.client();
    const { instance_id: id } = await client.launch('windowless');
    const began = Date.now();
    await until('the program runs', () => renderOf(id));
    await stage.host.crash();
    await stage.host.run();
    const failed = await client.statusBecomes(id, 'FAILED', 60_000);
    assert.equal(failed.reason, 'not_ready');
    const seconds = (Date.now() - began) / 1000;
    assert.ok(seconds > 20, `it had its whole time, not ${seconds} s`);
  },
);
