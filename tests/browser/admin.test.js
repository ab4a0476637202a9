// The supervision tree, as administrators see and steer it.

import assert from 'node:assert/strict';

import { breakCrasher, crasher, pattern } from './harness/apps.js';
import { killNow, pidOf, processesOf } from './harness/proc.js';
import { assertProblem, Client } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4 } },
  apps: paths => [pattern(paths), crasher(paths)],
});

/** @typedef {import('playwright-core').Page} Page */

/** The row of a child. @param {Page} page @param {string} path */
const row = (page, path) => page.locator(`[role="row"][data-path="${path}"]`);

/** Opens the rows down to a child. @param {Page} page @param {string} path @param {number} from how many ids are open */
async function open(page, path, from = 3) {
  const ids = path.split('/');
  for (let length = from; length < ids.length; length += 1) {
    const at = row(page, ids.slice(0, length).join('/'));
    await at.waitFor();
    if ((await at.getAttribute('aria-expanded')) !== 'true') await at.locator('.toggle').click();
  }
  await row(page, path).waitFor();
}

/** Somebody with a running pattern, and the admin page beside it. @param {import('./harness/stage.js').Stage} stage */
async function watched(stage) {
  const { home, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  const page = await user.newPage();
  await page.goto(`${stage.host.origin}/admin`);
  await row(page, 'root/instances').waitFor();
  return {
    user,
    viewer,
    page,
    id: viewer.instanceId,
    stagePath: `root/instances/${viewer.instanceId}/desktop/stage`,
  };
}

/** @param {any} child @param {string} path @returns {any} */
function find(child, path) {
  if (child.path === path) return child;
  for (const below of child.children) {
    const found = find(below, path);
    if (found) return found;
  }
  return null;
}

scenario('the page shows the tree, and an instance opens into its own', async stage => {
  const { page, id, stagePath } = await watched(stage);
  for (const name of ['store', 'history', 'fleet', 'sessions', 'instances', 'http']) {
    assert.equal(await row(page, `root/${name}`).count(), 1, name);
  }
  const instance = row(page, `root/instances/${id}`);
  assert.match((await instance.textContent()) ?? '', /running/);
  assert.equal(await row(page, `${stagePath}/render`).count(), 0, 'closed at first');
  await open(page, `${stagePath}/render`);
  const render = await pidOf(id, 'render');
  await until('the row tells the pid', async () =>
    ((await row(page, `${stagePath}/render`).textContent()) ?? '').includes(`${render}`),
  );
  assert.match((await row(page, stagePath).textContent()) ?? '', /one for one · permanent/);
  await row(page, `root/instances/${id}`).locator('.toggle').click();
  await until('it is closed again', async () => (await row(page, stagePath).count()) === 0);

  await page.getByRole('button', { name: 'Open all' }).click();
  await row(page, `${stagePath}/render`).waitFor();
  await page.getByRole('button', { name: 'Close all' }).click();
  await until('all are closed again', async () => (await row(page, stagePath).count()) === 0);
  await open(page, `${stagePath}/render`);
});

scenario(
  'a killed program is seen being restarted, with the reason, on the page and in the history',
  async stage => {
    const { user, page, id, stagePath } = await watched(stage);
    await open(page, `${stagePath}/render`);
    /** @type {string[]} */
    const asked = [];
    page.on('request', request => asked.push(request.url()));
    await killNow(await pidOf(id, 'render'));
    const render = row(page, `${stagePath}/render`);
    await until('the row says why', async () =>
      /killed by signal 9/.test((await render.textContent()) ?? ''),
    );
    const line = page.locator(`#history li[data-kind="exited"][data-actor="${stagePath}/render"]`).first();
    await line.waitFor();
    assert.match((await line.textContent()) ?? '', /killed by signal 9/);
    assert.deepEqual(asked, [], 'pushed, not polled');

    const client = await stage.rest(user);
    const { body } = await client.get('/api/v1/admin/supervision');
    const child = find(body.root, `${stagePath}/render`);
    assert.ok(child.generation >= 2 && child.restarts.total >= 1, JSON.stringify(child));
    assert.equal(child.last_exit.reason, 'error');
    assert.ok(child.budget.own && child.budget.left < child.budget.max);
    await until('the events have it', async () => {
      const { body: stored } = await client.get(`/api/v1/admin/events?actor=${stagePath}/render`);
      const kinds = stored.events.map((/** @type {any} */ event) => event.kind);
      return kinds.includes('exited') && kinds.includes('restarting');
    });
  },
);

scenario('the life of an instance is in the events', async stage => {
  const { user, viewer, id } = await watched(stage);
  breakCrasher(stage.host, true);
  const client = await stage.rest(user);
  const { instance_id: failing } = await client.launch('crasher');
  /** @param {string} actor @param {string[]} wanted */
  const told = (actor, wanted) =>
    until(
      `the events of ${actor} are there`,
      async () => {
        const { body } = await client.get(`/api/v1/admin/events?limit=1000&actor=root/instances/${actor}`);
        const kinds = new Set(body.events.map((/** @type {any} */ event) => event.kind));
        const missing = wanted.filter(kind => !kinds.has(kind));
        if (missing.length > 0) throw new Error(`without ${missing}`);
        return body.events;
      },
      { within: 60_000 },
    );
  await told(failing, ['instance_created', 'instance_launched', 'instance_failed', 'given_up']);
  await viewer.page.goto(stage.host.origin);
  await told(id, ['viewer_left']);
  await client.delete(`/api/v1/instances/${id}`);
  const events = await told(id, [
    'instance_created',
    'instance_launched',
    'instance_ready',
    'viewer_joined',
    'control_changed',
    'viewer_left',
    'instance_ending',
    'instance_terminated',
  ]);
  const times = events.map((/** @type {any} */ event) => event.at);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => b - a),
    'the newest first',
  );
});

scenario('a button restarts a child, after asking', async stage => {
  const { viewer, page, id, stagePath } = await watched(stage);
  const peer = await viewer.rememberConnection();
  const [capture, render] = [await pidOf(id, 'capture'), await pidOf(id, 'render')];
  await open(page, `${stagePath}/capture`);
  await row(page, `${stagePath}/capture`).getByRole('button', { name: 'Restart' }).click();
  const dialog = page.getByRole('dialog');
  assert.match((await dialog.textContent()) ?? '', /It alone is restarted/);
  await dialog.getByRole('button', { name: 'Leave it' }).click();
  assert.equal(await pidOf(id, 'capture'), capture, 'not before it was confirmed');

  await row(page, `${stagePath}/capture`).getByRole('button', { name: 'Restart' }).click();
  await dialog.getByRole('button', { name: 'Restart' }).click();
  await until('another capture process', async () => (await pidOf(id, 'capture')) !== capture);
  await until('the question is gone', async () => !(await dialog.isVisible()));
  await page.locator('#history li[data-kind="restart_asked"]').first().waitFor();
  assert.equal(await pidOf(id, 'render'), render, 'the program did not notice');
  await viewer.connected();
  assert.ok(await viewer.sameConnection());
  assert.equal(await viewer.property('peerId'), peer);
});

scenario(
  'a connection and a session can be ended by hand, and the page makes others by itself',
  async stage => {
    const { user, viewer, page, id } = await watched(stage);
    const client = await stage.rest(user);
    const peer = String(await viewer.property('peerId'));
    const path = `root/instances/${id}/peers/${peer}`;
    await open(page, path);
    await row(page, path).getByRole('button', { name: 'End' }).click();
    const dialog = page.getByRole('dialog');
    assert.match((await dialog.textContent()) ?? '', /page of that viewer makes another/);
    await dialog.getByRole('button', { name: 'End' }).click();
    await until('another connection', async () => (await viewer.property('peerId')) !== peer);
    await viewer.connected();
    await until('the question is gone', async () => !(await dialog.isVisible()));
    await until('the host notes it', () => new RegExp(`peer=${peer} .*closed=fault`).test(stage.host.log()));

    const second = await viewer.rememberConnection();
    const { body } = await client.get('/api/v1/admin/supervision');
    const { session_id: session } = body.instances[id];
    const generations = () => stage.host.log().split(`child=root/sessions/${session} `).length;
    const before = generations();
    const ended = await client.post('/api/v1/admin/supervision/restart', {
      child: `root/sessions/${session}`,
    });
    assert.deepEqual([ended.status, ended.body.outcome], [200, 'ended']);
    await until('the page has come back on another socket', async () => {
      await viewer.click(400, 100);
      const { body: now } = await client.get('/api/v1/admin/supervision');
      return generations() > before && find(now.root, `root/sessions/${session}`)?.state === 'running';
    });
    assert.ok(await viewer.sameConnection(), 'the picture did not notice');
    assert.equal(await viewer.property('peerId'), second);
  },
);

scenario('the server that the page came from can be restarted from it', async stage => {
  const { viewer, page } = await watched(stage);
  const peer = await viewer.rememberConnection();
  await row(page, 'root/http').getByRole('button', { name: 'Restart' }).click();
  const dialog = page.getByRole('dialog');
  assert.match((await dialog.textContent()) ?? '', /this one too/);
  await dialog.getByRole('button', { name: 'Restart' }).click();
  await until('the question is gone', async () => !(await dialog.isVisible()));
  await until('it is live again', async () => (await page.locator('#live').textContent()) === 'live');
  await page.locator('#history li[data-kind="restart_asked"][data-actor="root/http"]').first().waitFor();
  await viewer.click(400, 100);
  await viewer.page.keyboard.type('well');
  await viewer.pattern.textBecomes('well');
  assert.ok(await viewer.sameConnection(), 'the picture did not notice');
  assert.equal(await viewer.property('peerId'), peer);
});

scenario('restarting the link to a keeper starts everything of the instance anew', async stage => {
  const { user, viewer, id } = await watched(stage);
  const client = await stage.rest(user);
  const before = processesOf(id).map(({ pid }) => pid);
  const child = `root/instances/${id}/desktop/keeper`;
  const { status, body } = await client.post('/api/v1/admin/supervision/restart', { child });
  assert.deepEqual([status, body], [200, { child, outcome: 'restarted' }]);
  await viewer.pattern.appears();
  await until('everything is another', async () => {
    const now = processesOf(id).map(({ pid }) => pid);
    return now.length >= before.length && now.every(pid => !before.includes(pid));
  });
  await until('it runs', async () => (await client.instance(id)).status === 'RUNNING');
});

scenario(
  'restarting the supervisor of all instances costs no program, and viewers come back',
  async stage => {
    const { user, viewer, id } = await watched(stage);
    await viewer.click(400, 100);
    await viewer.page.keyboard.type('kept');
    await viewer.pattern.textBecomes('kept');
    const client = await stage.rest(user);
    const before = processesOf(id).map(({ pid }) => pid);
    const peer = await viewer.property('peerId');
    const child = 'root/instances';
    const { status, body } = await client.post('/api/v1/admin/supervision/restart', { child });
    assert.deepEqual([status, body.outcome], [200, 'restarted']);
    await until('another connection', async () => (await viewer.property('peerId')) !== peer);
    await viewer.connected();
    await viewer.pattern.textBecomes('kept');
    assert.deepEqual(
      processesOf(id).map(({ pid }) => pid),
      before,
      'every process was found again',
    );
    assert.equal((await client.instance(id)).status, 'RUNNING');
    await viewer.page.keyboard.type('!');
    await viewer.pattern.textBecomes('kept!');
  },
);

scenario('restarting a whole instance starts its program anew', async stage => {
  const { viewer, page, id } = await watched(stage);
  const render = await pidOf(id, 'render');
  await row(page, `root/instances/${id}`).getByRole('button', { name: 'Restart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
  await until('another program', () => {
    const now = processesOf(id).filter(({ role }) => role === 'render');
    return now.length > 0 && now.every(({ pid }) => pid !== render);
  });
  await viewer.connected();
  await viewer.pattern.appears();
});

scenario('the page comes back by itself when the host does', async stage => {
  const { page } = await watched(stage);
  await stage.host.crash();
  await until('it says so', async () => (await page.locator('#live').textContent()) === 'reconnecting');
  await stage.host.run();
  await until('it is live again', async () => (await page.locator('#live').textContent()) === 'live');
});

scenario('the server says that it lives, and what it can still take', async stage => {
  const client = await stage.client();
  const server = async () => {
    const { status, body } = await client.get('/api/v1/admin/servers');
    assert.equal(status, 200);
    assert.equal(body.servers.length, 1);
    return body.servers[0];
  };
  const first = await server();
  assert.deepEqual([first.status, first.num_instances], ['ONLINE', 4]);
  await client.launch('pattern');
  const later = await until('a later beat counts the instance', async () => {
    const now = await server();
    return now.heartbeat_at > first.heartbeat_at && now.available_instances === 3 && now;
  });
  assert.ok(later.modified >= later.heartbeat_at && later.lease_until > later.heartbeat_at);
  assert.equal(later.created, first.created);
});

scenario('what was counted can be read, and a page asks for a part of the tree', async stage => {
  const { user, id, viewer } = await watched(stage);
  const client = await stage.rest(user);
  const peer = String(await viewer.property('peerId'));
  const read = async () => (await client.get('/api/v1/admin/counters')).body;
  const before = await read();
  assert.deepEqual(Object.keys(before.instances), [id]);
  assert.equal(before.journal.dropped, 0);
  assert.equal(before.instances[id].subscribers, 1);
  await viewer.click(300, 100);
  await until('frames and input are counted', async () => {
    const now = (await read()).instances[id];
    return (
      now.picture.frames > before.instances[id].picture.frames &&
      now.peers[peer].frames > before.instances[id].peers[peer].frames &&
      now.peers[peer].input_events > before.instances[id].peers[peer].input_events
    );
  });
  for (const wrong of ['from=x', 'from=root:x', `open=${'a,'.repeat(65)}`, 'other=1'])
    assert.equal((await client.get(`/api/v1/admin/supervision/stream?${wrong}`)).status, 400, wrong);
});

scenario('guests and strangers are not let in', async stage => {
  const guest = new Client(stage.host);
  assert.equal((await guest.post('/api/v1/sessions', { guest: true })).status, 201);
  const stranger = new Client(stage.host);
  for (const path of [
    '/admin/supervision',
    '/admin/supervision/stream',
    '/admin/events',
    '/admin/servers',
    '/admin/counters',
  ]) {
    assertProblem(await guest.get(`/api/v1${path}`), 403, 'not_allowed');
    assertProblem(await stranger.get(`/api/v1${path}`), 401, 'auth_required');
  }
  const body = { child: 'root/http' };
  assertProblem(await guest.post('/api/v1/admin/supervision/restart', body), 403, 'not_allowed');
  assertProblem(await stranger.post('/api/v1/admin/supervision/restart', body), 401, 'auth_required');

  const user = await stage.stranger();
  const page = await user.newPage();
  await page.goto(`${stage.host.origin}/admin`);
  await page.getByRole('textbox', { name: /token/i }).fill(stage.host.token);
  await page.getByRole('button', { name: 'Continue' }).click();
  await row(page, 'root/http').waitFor();
});

scenario('bad wishes get an answer each, and change nothing', async stage => {
  const { user, id } = await watched(stage);
  const client = await stage.rest(user);
  const restart = (/** @type {unknown} */ body) => client.post('/api/v1/admin/supervision/restart', body);
  for (const child of [
    'root/nothing',
    'root/instances/none',
    '',
    '/',
    'root//http',
    `root/${'x'.repeat(2000)}`,
  ]) {
    assertProblem(await restart({ child }), 404, 'unknown_child');
  }
  for (const body of [{}, { child: 7 }, { child: 'root/http', more: 1 }, '{', '[]']) {
    assertProblem(await restart(body), 400, 'bad_request');
  }
  assertProblem(await restart({ child: 'root' }), 409, 'not_restartable');
  for (const child of [`root/instances/${id}/desktop/stage/render`, `root/instances/${id}`]) {
    const many = await Promise.all([1, 2, 3].map(() => restart({ child })));
    assert.ok(
      many.some(({ status }) => status === 200),
      JSON.stringify(many.map(({ body }) => body)),
    );
    for (const answer of many.filter(({ status }) => status !== 200)) {
      assertProblem(answer, 409, 'already_restarting');
    }
  }

  breakCrasher(stage.host, true);
  const { instance_id: failing } = await client.launch('crasher');
  await until('it has failed', async () => (await client.instance(failing)).status === 'FAILED', {
    within: 60_000,
  });
  await until('its desktop has ended', () => processesOf(failing).length === 0);
  const finished = await restart({
    child: `root/instances/${failing}/desktop`,
  });
  assertProblem(finished, 409, 'child_finished');
  assert.equal((await client.instance(failing)).status, 'FAILED');
});
