// A home that an app keeps has a size, too. What outgrows it is ended, and the home page offers a way on.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { assertProblem } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

/** Keeps everything, and writes more than it may at its first start in an empty home. @param {{ demo: string }} paths */
const hoarder = ({ demo }) => ({
  id: 'hoarder',
  name: 'Hoarder',
  command: 'sh',
  args: [
    '-c',
    `[ -e $HOME/modest ] || head -c 20000000 /dev/zero > $HOME/hoard; touch $HOME/modest; exec ${demo} --pattern`,
  ],
  home: 'keep',
  home_mib: 8,
  width: 640,
  height: 360,
});

const { scenario } = suite({
  sections: { instances: { capacity: 4, per_session: 3 } },
  apps: paths => [hoarder(paths), pattern(paths)],
});

scenario(
  'an app that outgrows its kept home is ended, and starts afresh once that is emptied',
  async stage => {
    const { user, page, home } = await stage.visitor();
    const first = (await home.launch('hoarder', stage.host)).instanceId;
    const rest = await stage.rest(user);
    const found = async () => (await rest.get(`/api/v1/instances/${first}`)).body;
    await until('it is ended', async () => (await found()).status === 'FAILED');
    const { reason, message } = await found();
    assert.equal(reason, 'home_full');
    assert.match(message, /more than the 8 MiB/);
    await until('nothing of it is left', () => stage.host.processesLeft([first]).length === 0);

    const again = await rest.post('/api/v1/instances', { app: 'hoarder' });
    assertProblem(again, 507, 'home_full');
    const other = await stage.client();
    assert.equal((await other.delete('/api/v1/apps/hoarder/home')).status, 204, "another's is another");
    assertProblem(await rest.post('/api/v1/instances', { app: 'hoarder' }), 507, 'home_full');
    const guest = await rest.delete('/api/v1/apps/..%2F..%2Finstances/home');
    assert.equal(guest.status, 204, 'no app has such an id, so nothing is there');

    await page.goto(`${stage.host.origin}/`);
    await home
      .app('hoarder')
      .getByRole('button', { name: /launch/i })
      .click();
    await page.getByText('Hoarder was not launched').waitFor();
    await page.getByRole('button', { name: 'Delete its files…' }).click();
    await page.getByRole('button', { name: 'Delete and launch' }).click();
    await page.waitForURL(/\/stream\/[0-9a-f-]{36}/);
    const second = new Viewer(page);
    stage.host.instances.add(second.instanceId);
    assert.notEqual(second.instanceId, first);
    assertProblem(await rest.delete('/api/v1/apps/hoarder/home'), 409, 'busy');
  },
);
