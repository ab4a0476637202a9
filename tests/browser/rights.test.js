// Who says something for somebody else, and what outlives the rights it was opened under: as programs, which do what no page
// would.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { OFFER } from './harness/offer.js';
import { assertProblem, Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { never, until } from './harness/wait.js';

const { scenario } = suite({ sections: { instances: { capacity: 4 } }, apps: paths => [pattern(paths)] });

/** @param {Client} client @param {string} instance_id @param {string} [viewer_id] */
async function watch(client, instance_id, viewer_id) {
  const { socket, status } = await Socket.open(client);
  if (!socket) throw new Error(`/ws answered ${status}`);
  socket.send({ type: 'hello', ...(viewer_id ? { viewer_id } : {}) });
  const viewer = (await socket.next('welcome')).viewer_id;
  socket.send({ type: 'watch', instance_id });
  await socket.next('instance');
  return { socket, viewer };
}

/** @param {Socket} socket */
const steersLast = socket => socket.received.filter(message => message.type === 'control').at(-1);

scenario(
  "a spectator that says the owner's viewer id is another viewer, and may nothing for it",
  async stage => {
    const owner = await stage.client();
    const { instance_id } = await owner.launch('pattern');
    const first = await watch(owner, instance_id);
    const guest = await Client.guest(stage.host);
    const second = await watch(guest, instance_id, first.viewer);
    assert.notEqual(second.viewer, first.viewer);
    const told = await second.socket.next('viewers', message => message.count === 2);
    assert.ok(told.viewers.some((/** @type {any} */ v) => v.viewer_id === first.viewer));
    for (const message of [
      { type: 'grant_control', viewer_id: second.viewer },
      { type: 'release_control' },
      { type: 'request_control' },
    ]) {
      second.socket.send(message);
      assert.equal((await second.socket.next('error')).code, 'not_allowed', message.type);
    }
    second.socket.send({ type: 'offer', sdp: OFFER });
    const answer = await second.socket.next('answer');
    await never(
      "the owner's socket is told of it",
      async () => first.socket.received.some(message => message.peer_id === answer.peer_id),
      500,
    );
    assert.equal(steersLast(first.socket)?.holder ?? first.viewer, first.viewer);
  },
);

scenario(
  'an owner that was away comes back as itself, whoever has said its viewer id meanwhile',
  async stage => {
    const owner = await stage.client();
    const { instance_id } = await owner.launch('pattern');
    const first = await watch(owner, instance_id);
    first.socket.send({ type: 'unwatch' });
    await first.socket.close();
    const guest = await Client.guest(stage.host);
    const second = await watch(guest, instance_id, first.viewer);
    const again = await watch(owner, instance_id, first.viewer);
    assert.equal(again.viewer, first.viewer);
    assert.deepEqual(await again.socket.next('control').then(({ holder, role }) => [holder, role]), [
      first.viewer,
      'owner',
    ]);
    second.socket.send({ type: 'request_control' });
    assert.equal((await second.socket.next('error')).code, 'not_allowed');
  },
);

scenario("a guest's socket ends when its session is no guest's any more", async stage => {
  const guest = await Client.guest(stage.host);
  const old = new Client(stage.host);
  for (const [name, value] of guest.cookies) old.cookies.set(name, value);
  const socket = await Socket.greeted(old);
  assert.equal((await guest.post('/api/v1/auth', { token: stage.host.token })).status, 204);
  const { body } = await guest.post('/api/v1/sessions', {});
  assert.deepEqual([body.session_id, body.guest], [guest.sessionId, false]);
  assert.equal(await socket.ended(), 1012);
  assertProblem(await old.get('/api/v1/sessions/current'), 401, 'auth_required');
  const { instance_id } = await guest.launch('pattern');
  await guest.delete(`/api/v1/instances/${instance_id}`);
});

scenario('what a session has opened ends with it', async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  const admin = await stage.client();
  const { socket } = await watch(owner, instance_id);
  assert.equal((await owner.delete('/api/v1/sessions/current')).status, 204);
  assert.equal(await socket.ended(), 1012);
  await until('nobody watches', async () => (await admin.instance(instance_id)).viewers === 0);
  await admin.delete(`/api/v1/instances/${instance_id}`);
});

scenario(
  'with another token the former one’s sessions own nothing, and what they launched can end with it',
  async stage => {
    const owner = await stage.client();
    const { instance_id } = await owner.launch('pattern');
    await owner.statusBecomes(instance_id, 'RUNNING');
    const { socket } = await watch(owner, instance_id);
    const path = `/api/v1/instances/${instance_id}`;
    const { body: made } = await owner.post(`${path}/links`, { role: 'controller' });
    const linked = await Client.guest(stage.host);
    assert.equal((await linked.post('/api/v1/links/exchange', { link: made.secret })).status, 200);
    assert.equal((await linked.instance(instance_id)).role, 'controller');
    await stage.host.rotate();
    assert.equal(await socket.ended(), 1012);
    assert.equal((await linked.instance(instance_id)).role, 'spectator', 'links end as well');
    assertProblem(await linked.post('/api/v1/links/exchange', { link: made.secret }), 410, 'link_revoked');
    assert.equal((await owner.instance(instance_id)).role, 'spectator');
    assertProblem(await owner.post(`${path}/restart`, {}), 403, 'not_allowed');
    assertProblem(await owner.post(`${path}/links`, { role: 'controller' }), 403, 'not_allowed');
    assertProblem(await owner.delete(path), 403, 'not_allowed');
    const { viewer } = await watch(owner, instance_id);
    assert.ok(viewer, 'it watches like everybody');

    // Who shows the new token has it back.
    assert.equal((await owner.post('/api/v1/auth', { token: stage.host.token })).status, 204);
    assert.equal((await owner.post('/api/v1/sessions', {})).status, 200);
    assert.equal((await owner.instance(instance_id)).role, 'owner');

    await stage.host.rotate('--end');
    await until('the instance is gone', () => stage.host.processesLeft([instance_id]).length === 0);
  },
);

scenario(
  'a tab that watches as a guest goes on by itself when another tab of its browser shows the token',
  async stage => {
    const owner = await stage.client();
    const { instance_id } = await owner.launch('pattern');
    await owner.statusBecomes(instance_id, 'RUNNING');
    const user = await stage.stranger();
    const viewer = new Viewer(await user.newPage());
    await viewer.page.goto(`${stage.host.origin}/stream/${instance_id}`);
    await viewer.connected();
    await viewer.becomesRole('spectator');
    await viewer.rememberConnection();
    const other = await user.newPage();
    await other.goto(stage.host.entry);
    await other.locator('article[data-app]').first().waitFor();
    await viewer.page.bringToFront();
    await viewer.becomesRole('admin');
    await viewer.connected();
    assert.ok(!(await viewer.sameConnection()), 'what was opened as a guest has ended');
    await viewer.pattern.appears();
  },
);
