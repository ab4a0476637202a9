// Links: an instance shared by clicking, used by others, and taken back. Here the bare address lets nobody in.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { assertProblem, Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { never, until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4 }, access: { bare_url: 'none' } },
  apps: paths => [pattern(paths)],
});

/** @typedef {import('./harness/stage.js').Stage} Stage */
/** @typedef {import('playwright-core').Page} Page */

/** Makes a link in the dialog of the owner's page. @param {Page} page @param {{ role: string, uses?: string }} wish */
async function makeLink(page, { role, uses }) {
  const dialog = page.getByRole('dialog', { name: 'Share' });
  if (!(await dialog.isVisible())) {
    await page.mouse.move(640, 2);
    await page.getByRole('button', { name: 'Share' }).click();
  }
  await dialog.getByLabel('They may').selectOption({ label: role });
  if (uses) await dialog.getByLabel('Works for').selectOption({ label: uses });
  const field = dialog.getByLabel('The new link');
  const before = (await field.isVisible()) ? await field.inputValue() : '';
  await dialog.getByRole('button', { name: 'Make a link' }).click();
  return await until('the link is shown', async () => {
    const url = (await field.isVisible()) ? await field.inputValue() : '';
    return url !== before && url;
  });
}

/** Somebody opens a link in a browser of their own. @param {Stage} stage @param {string} url */
async function opens(stage, url) {
  const user = await stage.stranger();
  const page = await user.newPage();
  await page.goto(url);
  return { page, viewer: new Viewer(page) };
}

scenario('links made by clicking let in a controller who types and a spectator who cannot', async stage => {
  const { home, page } = await stage.visitor();
  const owner = await home.launch('pattern', stage.host);
  await owner.connected();
  const { flips } = await owner.pattern.appears();
  const steering = await makeLink(page, { role: 'Watch and steer' });
  const watching = await makeLink(page, { role: 'Watch only', uses: 'One person, once' });
  assert.match(steering, /\/stream\/[0-9a-f-]{36}#link=[\w-]{43}$/);

  const guest = await opens(stage, steering);
  await guest.viewer.connected();
  assert.ok(!guest.page.url().includes('#'), 'the secret has left the address bar');
  await guest.viewer.becomesRole('controller');
  const spectator = await opens(stage, watching);
  await spectator.viewer.connected();
  await spectator.viewer.becomesRole('spectator');
  await spectator.viewer.tells(/watching only/);

  await guest.page.mouse.move(640, 2);
  await guest.page.getByRole('button', { name: 'Take control' }).click();
  await until('the guest has control', () => guest.viewer.property('steers'));
  await guest.viewer.click(400, 100);
  await guest.page.keyboard.type('guest');
  await owner.pattern.textBecomes('guest');
  // A click and five keys.
  await owner.pattern.flipsBecome(flips + 6);
  await spectator.viewer.click(400, 100);
  await never('a spectator steers', async () => (await owner.pattern.read()).flips !== flips + 6, 1_500);

  const late = await opens(stage, watching);
  await late.viewer.stateBecomes('error');
  await late.viewer.tells(/used before/);

  // The dialog says who is there, and puts them out.
  const dialog = page.getByRole('dialog', { name: 'Share' });
  const item = dialog.getByRole('listitem').filter({ hasText: 'Watch and steer' });
  await item.filter({ hasText: '1 viewer now' }).waitFor();
  await item.getByRole('button', { name: 'Revoke' }).click();
  await item.getByRole('group').getByRole('button', { name: 'Revoke' }).click();
  await guest.viewer.stateBecomes('error');
  await guest.viewer.tells(/access has ended/i);
  await item.waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  await owner.click(400, 100);
  await owner.pattern.flipsBecome(flips + 7);
  await spectator.viewer.pattern.flipsBecome(flips + 7);
  await guest.page.reload();
  await guest.viewer.stateBecomes('error');
});

scenario('without a link the address opens nothing, and each refusal says why', async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  const path = `/api/v1/instances/${instance_id}`;
  const guest = await Client.guest(stage.host);
  assertProblem(await guest.get(path), 403, 'not_allowed');
  assertProblem(await guest.get(`${path}/screenshot`), 403, 'not_allowed');
  assertProblem(await guest.post(`${path}/links`, { role: 'spectator' }), 403, 'not_allowed');
  const socket = await Socket.greeted(guest);
  socket.send({ type: 'watch', instance_id });
  assert.equal((await socket.next('error')).code, 'not_allowed');
  const bare = await opens(stage, `${stage.host.origin}/stream/${instance_id}`);
  await bare.viewer.stateBecomes('error');
  await bare.viewer.tells(/may not watch.*link/);

  for (const wish of [
    { role: 'controller', expires_in: 1 },
    { role: 'controller', uses: 0 },
    { role: 'spectator', expires_in: 10 ** 9 },
  ])
    assertProblem(await owner.post(`${path}/links`, wish), 422, 'out_of_range');
  assertProblem(await owner.post(`${path}/links`, { role: 'owner' }), 400, 'bad_request');

  const made = await owner.post(`${path}/links`, { role: 'controller', expires_in: 3600 });
  assert.equal(made.status, 201);
  const { link_id, secret } = made.body;
  const { body } = await owner.get(`${path}/links`);
  assert.equal(body.links.length, 1);
  assert.ok(!JSON.stringify(body).includes(secret), 'a secret is shown once');

  assertProblem(await guest.post('/api/v1/links/exchange', { link: 'x' }), 404, 'unknown_link');
  const given = await guest.post('/api/v1/links/exchange', { link: secret });
  assert.deepEqual([given.status, given.body.role], [200, 'controller']);
  socket.send({ type: 'watch', instance_id });
  await socket.next('instance');
  assertProblem(await guest.delete(path), 403, 'not_allowed');
  assertProblem(await guest.post(`${path}/restart`, {}), 403, 'not_allowed');

  await stage.host.crash();
  await stage.host.run();
  await until('the next host has it', async () => (await guest.get(path)).body.role === 'controller');
  assert.equal((await owner.delete(`${path}/links/${link_id}`)).status, 204);
  assertProblem(await owner.delete(`${path}/links/${link_id}`), 404, 'unknown_link');
  assertProblem(await guest.post('/api/v1/links/exchange', { link: secret }), 410, 'link_revoked');
  assertProblem(await guest.get(path), 403, 'not_allowed');
  assert.ok(!stage.host.log().includes(secret), 'no secret is in the log');
});

scenario('whose link expires while they watch is let go, and told why', async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  await owner.statusBecomes(instance_id, 'RUNNING');
  const path = `/api/v1/instances/${instance_id}`;
  const { body } = await owner.post(`${path}/links`, { role: 'spectator', expires_in: 15 });
  const { page, viewer } = await opens(stage, new URL(body.url, stage.host.origin).href);
  await viewer.connected();
  assert.equal((await owner.instance(instance_id)).viewers, 1);
  await viewer.stateBecomes('error');
  await viewer.tells(/access has ended.*revoked or has expired/i);
  await until('nobody watches', async () => (await owner.instance(instance_id)).viewers === 0);
  await page.reload();
  await viewer.stateBecomes('error');
  await viewer.tells(/may not watch/i);
});

scenario('a ticket signs in once, and another token ends what was got by the former one', async stage => {
  const { host } = stage;
  const tokenIn = (/** @type {string} */ said) => /#token=([\w-]{43})\n/.exec(said)?.[1] ?? '';
  const { said } = await host.command('token');
  const ticket = tokenIn(said);
  assert.notEqual(ticket, host.token, 'the token is shown once');
  const { page } = await stage.visitor();
  await page.goto(`${host.origin}/admin`);
  await page.locator('#content').waitFor();
  const admin = new Client(host);
  assert.equal((await admin.post('/api/v1/auth', { token: ticket })).status, 204);
  assertProblem(await new Client(host).post('/api/v1/auth', { token: ticket }), 401, 'bad_token');
  const opened = await admin.post('/api/v1/sessions', {});
  assert.equal(opened.status, 201);
  admin.sessionId = opened.body.session_id;
  const { instance_id } = await admin.launch('pattern');
  const socket = await Socket.greeted(admin);

  const former = host.token;
  await host.rotate();
  assert.notEqual(host.token, former);
  assert.equal(await socket.ended(), 1012);
  assertProblem(await admin.get('/api/v1/admin/servers'), 403, 'not_allowed');
  assertProblem(await admin.post('/api/v1/instances', { app: 'pattern' }), 401, 'auth_required');
  assertProblem(await new Client(host).post('/api/v1/auth', { token: former }), 401, 'bad_token');
  // A page that follows the tree asks for the new one.
  await page.getByRole('textbox', { name: /token/i }).waitFor();

  const path = `/api/v1/instances/${instance_id}`;
  assertProblem(await admin.get(path), 403, 'not_allowed');
  assertProblem(await admin.delete(path), 403, 'not_allowed');
  assert.equal((await admin.post('/api/v1/auth', { token: host.token })).status, 204);
  const session = await admin.post('/api/v1/sessions', {});
  assert.deepEqual([session.status, session.body.session_id], [200, admin.sessionId]);
  assert.equal((await admin.instance(instance_id)).role, 'owner', 'what was launched is its own again');
  assert.equal((await admin.get('/api/v1/admin/servers')).status, 200);
  assert.equal((await admin.delete(`/api/v1/instances/${instance_id}`)).status, 202);
  const log = host.log();
  for (const secret of [ticket, host.token]) assert.ok(!log.includes(secret), 'the log has neither');
});
