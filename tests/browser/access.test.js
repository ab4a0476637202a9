// Who may do what.

import assert from 'node:assert/strict';
import { hostname } from 'node:os';

import { pattern } from './harness/apps.js';
import { isAlive, pidOf } from './harness/proc.js';
import { assertProblem, Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { noteToasts, Viewer } from './harness/viewer.js';
import { never } from './harness/wait.js';

const MACHINE = hostname().toLowerCase();

const { scenario } = suite({
  // Names lead here whatever they are, but for this one.
  flags: ['--host-resolver-rules=MAP * 127.0.0.1, EXCLUDE localhost'],
  sections: { instances: { capacity: 4 } },
  apps: paths => [pattern(paths)],
});

scenario('a visitor without the token is told how to get in', async stage => {
  const user = await stage.stranger();
  const page = await user.newPage();
  await page.goto(stage.host.origin);
  await page.getByText(/token/i).first().waitFor();
  assert.equal(await page.getByRole('button', { name: /launch/i }).count(), 0);
});

scenario('a wrong token opens nothing', async stage => {
  const user = await stage.stranger();
  const page = await user.newPage();
  await page.goto(`${stage.host.origin}/#token=${'0'.repeat(stage.host.token.length)}`);
  await page.getByText(/token/i).first().waitFor();
  assert.equal(await page.getByRole('button', { name: /launch/i }).count(), 0);

  const client = new Client(stage.host);
  assertProblem(await client.post('/api/v1/auth', { token: 'wrong' }), 401, 'bad_token');
  assertProblem(await client.post('/api/v1/sessions', {}), 401, 'auth_required');
  assertProblem(await client.post('/api/v1/instances', { app: 'pattern' }), 401, 'auth_required');
  assertProblem(await client.get('/api/v1/instances'), 401, 'auth_required');
  const { status } = await Socket.open(client);
  assert.equal(status, 401);
});

scenario('an existing session is given back, and only to its secret', async stage => {
  const client = await stage.client();
  const again = await client.post('/api/v1/sessions', { session_id: client.sessionId });
  assert.deepEqual([again.status, again.body.session_id], [200, client.sessionId]);
  const other = await stage.client();
  const taken = await other.post('/api/v1/sessions', { session_id: client.sessionId });
  assert.equal(taken.body.session_id, other.sessionId, 'the id alone opens nothing');
});

scenario("somebody else's instance can be watched, but neither ended nor restarted", async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  const other = await Client.guest(stage.host);
  const seen = await other.instance(instance_id);
  assert.deepEqual([seen.mine, seen.role], [false, 'spectator']);
  const own = await owner.instance(instance_id);
  assert.deepEqual([own.mine, own.role], [true, 'owner']);
  assertProblem(await other.delete(`/api/v1/instances/${instance_id}`), 403, 'not_allowed');
  assertProblem(await other.post(`/api/v1/instances/${instance_id}/restart`, {}), 403, 'not_allowed');
  assert.deepEqual(await other.instances(), [], 'it is not in the list of others');
  const stranger = new Client(stage.host);
  assertProblem(await stranger.delete(`/api/v1/instances/${instance_id}`), 401, 'auth_required');
  await owner.statusBecomes(instance_id, 'RUNNING');
});

scenario('whose link is revoked or expires while they watch goes on as a spectator', async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  await owner.statusBecomes(instance_id, 'RUNNING');
  const links = `/api/v1/instances/${instance_id}/links`;
  /** @param {number} expires_in seconds */
  const comes = async expires_in => {
    const { body } = await owner.post(links, { role: 'controller', expires_in });
    const viewer = new Viewer(await (await stage.stranger()).newPage());
    await viewer.page.addInitScript(noteToasts);
    await viewer.page.goto(new URL(body.url, stage.host.origin).href);
    await viewer.connected();
    await viewer.becomesRole('controller');
    await viewer.rememberConnection();
    return { viewer, link: body.link_id };
  };
  /** @param {Viewer} viewer */
  const watchesOnly = async viewer => {
    await viewer.becomesRole('spectator');
    await viewer.hasTold(/You are watching only from now on/);
    const { flips } = await viewer.pattern.appears();
    await viewer.click(400, 100);
    await never('it steers', async () => (await viewer.pattern.read()).flips !== flips, 700);
    assert.ok(await viewer.sameConnection(), 'the picture goes on');
  };
  const first = await comes(3600);
  // Nobody else is there: it steers.
  const { flips } = await first.viewer.pattern.appears();
  await first.viewer.click(400, 100);
  await first.viewer.pattern.flipsBecome(flips + 1);
  const second = await comes(15);
  assert.equal((await owner.delete(`${links}/${first.link}`)).status, 204);
  await watchesOnly(first.viewer);
  await watchesOnly(second.viewer);
});

scenario('who has shown the token may do all to every instance, by cookie or as a bearer', async stage => {
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  const path = `/api/v1/instances/${instance_id}`;
  const admin = await stage.client();
  const seen = await admin.instance(instance_id);
  assert.deepEqual([seen.mine, seen.role], [false, 'admin']);
  assert.equal((await admin.get(`${path}/links`)).status, 200);
  const program = new Client(stage.host);
  const bearer = { authorization: `Bearer ${stage.host.token}` };
  assert.equal((await program.ask('GET', path, undefined, bearer)).body.role, 'admin');
  assert.equal((await program.ask('GET', '/api/v1/admin/servers', undefined, bearer)).status, 200);
  const launch = await program.ask('POST', '/api/v1/instances', { app: 'pattern' }, bearer);
  assertProblem(launch, 401, 'auth_required');
  assert.equal((await program.ask('DELETE', path, undefined, bearer)).status, 202);
  await owner.statusBecomes(instance_id, 'TERMINATED');
});

scenario('pages of other origins can change nothing and open no socket', async stage => {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  const app = await pidOf(instance_id, 'render');
  for (const origin of ['https://evil.example', 'http://127.0.0.1:1', 'null']) {
    const headers = { origin };
    assertProblem(
      await client.ask('POST', '/api/v1/instances', { app: 'pattern' }, headers),
      403,
      'foreign_origin',
    );
    const path = `/api/v1/instances/${instance_id}`;
    assertProblem(await client.ask('DELETE', path, undefined, headers), 403, 'foreign_origin');
    assert.equal((await Socket.open(client, headers)).status, 403);
  }
  const rebound = { host: 'evil.example', origin: 'http://evil.example' };
  assertProblem(
    await client.ask('POST', '/api/v1/instances', { app: 'pattern' }, rebound),
    403,
    'foreign_host',
  );
  assert.equal((await Socket.open(client, rebound)).status, 403);
  assert.ok(isAlive(app));
  assert.equal((await client.instances()).length, 1, 'nothing was launched');
});

scenario(
  'the pages are there by the names of the machine, and under a foreign one a page says what to set',
  async stage => {
    const page = await (await stage.stranger()).newPage();
    for (const name of [MACHINE, `${MACHINE.split('.')[0]}.local`]) {
      const answer = await page.goto(`http://${name}:${stage.host.port}/`);
      assert.equal(answer?.status(), 200, name);
    }
    const answer = await page.goto(`http://foreign.test:${stage.host.port}/`);
    assert.equal(answer?.status(), 403);
    const said = ((await page.locator('main').textContent()) ?? '').replace(/\s+/g, ' ');
    assert.match(said, /not known under the name .*foreign\.test.* add it to server\.hosts/);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), 'rgb(236, 233, 226)');
    const nothing = await page.goto(`${stage.host.origin}/stream/nonsense`);
    assert.equal(nothing?.status(), 404);
    assert.match((await page.locator('h1').textContent()) ?? '', /nothing here/);
  },
);

scenario('the page of an instance that does not exist says so', async stage => {
  const { page } = await stage.visitor();
  await page.goto(`${stage.host.origin}/stream/00000000-0000-4000-8000-000000000000`);
  const viewer = new Viewer(page);
  await viewer.stateBecomes('error');
  await viewer.tells(/no such instance/i);
});

scenario('no secret and no token is ever written to the log', async stage => {
  const client = await stage.client();
  const log = stage.host.log();
  for (const [name, secret] of client.cookies) assert.ok(!log.includes(secret), `the log has ${name}`);
  // What it prints goes to the same file.
  assert.ok(!log.includes(stage.host.token), 'the log has the token');
});
