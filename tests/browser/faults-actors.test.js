// Panics: each costs what the actor does, and nothing else. Only debug builds can be asked to panic.

import assert from 'node:assert/strict';

import { moving } from './harness/apps.js';
import { pidOf, processesOf } from './harness/proc.js';
import { Bystander, note, Recovery, rounds } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  // A panic is no crash of the test's.
  panics: true,
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths)],
});

/** @param {import('./harness/stage.js').Stage} stage */
async function launched(stage) {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('moving', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  await viewer.click(400, 100);
  await page.keyboard.type('kept');
  await viewer.pattern.textBecomes('kept');
  return { viewer, rest: await stage.rest(user) };
}

/**
 * Makes a child of the supervision tree panic.
 *
 * @param {import('./harness/rest.js').Client} rest
 * @param {string} child its path
 */
async function panic(rest, child) {
  const response = await rest.post('/api/v1/debug/panic', { child });
  assert.equal(response.status, 202, `${child}: ${JSON.stringify(response.body)}`);
}

/** @param {string} id of the instance */
const below = id => `root/instances/${id}`;

/** Its words and its path. @type {[string, (id: string) => string][]} */
const children = [
  ['the instance’s actor', id => `${below(id)}/actor`],
  ['the link to the keeper', id => `${below(id)}/desktop/keeper`],
  ['the display’s child', id => `${below(id)}/desktop/display`],
  ['the capture’s child', id => `${below(id)}/desktop/stage/capture`],
  ['the window manager’s child', id => `${below(id)}/desktop/stage/window_manager`],
  ['the app’s child', id => `${below(id)}/desktop/stage/render`],
  ['the input’s child', id => `${below(id)}/desktop/stage/input`],
];

/** More would be past their budgets. */
const panics = Math.min(rounds, 3);

for (const [name, path] of children) {
  scenario(
    `a panic of ${name} costs neither the connection nor the program, ${panics} times`,
    async stage => {
      const bystander = await Bystander.watching((await launched(stage)).viewer);
      const { viewer, rest } = await launched(stage);
      const id = viewer.instanceId;
      const peer = await viewer.rememberConnection();
      const before = processesOf(id).map(({ pid }) => pid);
      const recovery = new Recovery(viewer);
      await recovery.begin();
      await bystander.settle();
      const panicked = () => stage.host.log().match(/panicked at/g)?.length ?? 0;
      let typed = 'kept';
      for (let round = 0; round < panics; round += 1) {
        const already = panicked();
        const since = Date.now();
        await panic(rest, path(id));
        const { took } = await recovery.waitFor(since, () => panicked() > already);
        note(`a panic of ${name}`, took);
        assert.equal(await viewer.property('peerId'), peer);
        assert.ok(await viewer.sameConnection());
        await viewer.pattern.textBecomes(typed, 60_000);
        await viewer.stateBecomes('connected');
        await viewer.click(400, 100);
        await viewer.page.keyboard.type('x');
        typed += 'x';
        await viewer.pattern.textBecomes(typed);
      }
      const after = processesOf(id).map(({ pid }) => pid);
      assert.deepEqual(after, before, 'every process was found again');
      await bystander.noticedNothing();
    },
  );
}

scenario('a panic of the supervisor of all instances costs connections, and no program', async stage => {
  const { viewer, rest } = await launched(stage);
  const id = viewer.instanceId;
  const before = processesOf(id).map(({ pid }) => pid);
  const peer = await viewer.property('peerId');
  await panic(rest, 'root/instances');
  await until('another connection', async () => (await viewer.property('peerId')) !== peer);
  await viewer.connected();
  await viewer.pattern.textBecomes('kept');
  const after = processesOf(id).map(({ pid }) => pid);
  assert.deepEqual(after, before, 'every process was found again');
});

scenario('when the tree gives up, the host exits 70 and the next one finds everything', async stage => {
  const { viewer, rest } = await launched(stage);
  const app = await pidOf(viewer.instanceId, 'render');
  const child = stage.host.process;
  assert.ok(child);
  await until('it gives up', async () => {
    if (child.exitCode !== null) return true;
    await panic(rest, 'root/store').catch(() => {});
    return false;
  });
  assert.equal(child.exitCode, 70);
  await viewer.stateBecomes('reconnecting');
  await stage.host.run();
  await viewer.connected();
  await viewer.pattern.textBecomes('kept', 60_000);
  assert.equal(await pidOf(viewer.instanceId, 'render'), app);
});
