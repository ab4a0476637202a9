// A database that is locked: whatever streams goes on, launches say so, and all is well when it is free again.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { moving } from './harness/apps.js';
import { Bystander, rounds } from './harness/recovery.js';
import { assertProblem } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths)],
});

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
  'a locked database stops no picture, launches answer 503, and all is well afterwards',
  async stage => {
    const { home, user } = await stage.visitor();
    const viewer = await home.launch('moving', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    const rest = await stage.rest(user);
    const bystander = await Bystander.watching(viewer);
    for (let round = 0; round < Math.min(rounds, 3); round += 1) {
      const free = await lock(join(stage.host.state, 'heliostat.db'));
      const refused = await rest.post('/api/v1/instances', { app: 'moving' });
      assertProblem(refused, 503, /./);
      await viewer.picture.goesOn(10);
      await bystander.noticedNothing();
      free();
      const { instance_id } = await until('launches work again', async () => {
        const answer = await rest.post('/api/v1/instances', { app: 'moving' });
        return answer.status === 201 && answer.body;
      });
      stage.host.instances.add(instance_id);
      await rest.delete(`/api/v1/instances/${instance_id}`);
    }
    const [mine] = (await rest.instances()).filter(one => one.instance_id === viewer.instanceId);
    assert.equal(mine.status, 'RUNNING');
  },
);
