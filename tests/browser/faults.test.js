// What dies behind a picture comes back, on the same connection wherever the host lives.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { pattern } from './harness/apps.js';
import { Home } from './harness/home.js';
import { isAlive, killNow, pidOf, processesOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ sections: { instances: { capacity: 8 } }, apps: paths => [pattern(paths)] });

/**
 * Launches the pattern and types a word into it.
 *
 * @param {import('./harness/stage.js').Stage} stage
 * @param {string} text
 */
async function typedInto(stage, text) {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  await viewer.click(400, 100);
  await page.keyboard.type(text);
  await viewer.pattern.textBecomes(text);
  return { viewer, page, user, id: viewer.instanceId, peer: await viewer.rememberConnection() };
}

/**
 * The picture answers to the user again.
 *
 * @param {import('./harness/viewer.js').Viewer} viewer
 * @param {string} text typed before
 */
async function answers(viewer, text) {
  await viewer.click(400, 100);
  await viewer.page.keyboard.type('x');
  await viewer.pattern.textBecomes(`${text}x`);
}

/** @param {import('./harness/viewer.js').Viewer} viewer @param {string} peer */
async function sameConnection(viewer, peer) {
  assert.ok(await viewer.sameConnection(), 'the same RTCPeerConnection, connected');
  assert.equal(await viewer.property('peerId'), peer, 'the same peer at the host');
}

scenario('SIGKILL of the app brings a new one to the same connection', async stage => {
  const { viewer, id, peer } = await typedInto(stage, 'lost with it');
  const display = await pidOf(id, 'xvfb');
  await killNow(await pidOf(id, 'render'));
  await viewer.pattern.textBecomes('', 60_000);
  await viewer.stateBecomes('connected');
  await sameConnection(viewer, peer);
  await answers(viewer, '');
  assert.equal(await pidOf(id, 'xvfb'), display, 'the X server was left alone');
});

scenario('SIGKILL of the X server brings all of the desktop back to the same connection', async stage => {
  const { viewer, id, peer } = await typedInto(stage, 'lost with it');
  const display = await pidOf(id, 'xvfb');
  const app = await pidOf(id, 'render');
  await killNow(display);
  await viewer.pattern.textBecomes('', 60_000);
  await viewer.stateBecomes('connected');
  await sameConnection(viewer, peer);
  await answers(viewer, '');
  assert.notEqual(await pidOf(id, 'xvfb'), display);
  assert.ok(!isAlive(app), 'the app of the old X server is gone');
  const kinds = processesOf(id).map(({ role }) => role);
  assert.equal(kinds.filter(role => role === 'xvfb').length, 1);
});

scenario('SIGKILL of the capture process costs the program nothing', async stage => {
  const { viewer, id, peer } = await typedInto(stage, 'not touched');
  const app = await pidOf(id, 'render');
  const capture = await pidOf(id, 'capture');
  await killNow(capture);
  assert.notEqual(await pidOf(id, 'capture'), capture);
  await viewer.picture.goesOn(10);
  await viewer.stateBecomes('connected');
  await sameConnection(viewer, peer);
  await answers(viewer, 'not touched');
  assert.equal(await pidOf(id, 'render'), app);
});

scenario('SIGKILL of the window manager disturbs nobody', async stage => {
  const { viewer, id, peer } = await typedInto(stage, 'not touched');
  const manager = await pidOf(id, 'wm');
  await killNow(manager);
  assert.notEqual(await pidOf(id, 'wm'), manager);
  await answers(viewer, 'not touched');
  await sameConnection(viewer, peer);
});

scenario('SIGKILL of the keeper ends in FAILED, and Restart brings the program back', async stage => {
  const { viewer, id, page } = await typedInto(stage, 'lost with it');
  const files = stage.host.files().filter(path => path.includes(id) && path.endsWith('keeper.json'));
  assert.equal(files.length, 1, 'one keeper.json');
  const before = processesOf(id).map(({ pid }) => pid);
  await killNow(JSON.parse(readFileSync(files[0], 'utf8')).pid);
  await viewer.stateBecomes('failed');
  await until('the processes of the dead keeper are gone', () => before.every(pid => !isAlive(pid)));
  await page.getByRole('button', { name: /restart/i }).click();
  await viewer.connected();
  await viewer.pattern.textBecomes('', 60_000);
  await answers(viewer, '');
});

scenario('after SIGKILL and a restart of the host the page is back at the same program', async stage => {
  const { viewer, page, user, id } = await typedInto(stage, 'survives');
  const app = await pidOf(id, 'render');
  const display = await pidOf(id, 'xvfb');
  await stage.host.crash();
  await viewer.stateBecomes('reconnecting');
  assert.ok(isAlive(app), 'the program did not notice');
  await stage.host.run();
  await viewer.connected();
  await viewer.pattern.textBecomes('survives', 60_000);
  assert.equal(await pidOf(id, 'render'), app, 'the same process');
  assert.equal(await pidOf(id, 'xvfb'), display, 'the same X server');
  await answers(viewer, 'survives');

  const rest = await stage.rest(user);
  const [mine] = await rest.instances();
  assert.equal(mine.instance_id, id, 'it is still mine');
  assert.equal(mine.status, 'RUNNING');
  await page.goto(stage.host.origin);
  await new Home(page).instance(id).waitFor();
});
