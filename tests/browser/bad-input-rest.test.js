// Bad input over REST: each has its code, and leaves nothing behind.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { processesOf } from './harness/proc.js';
import { assertProblem, Client } from './harness/rest.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 2, per_session: 1 } },
  apps: paths => [pattern(paths)],
});

const NOBODY = '00000000-0000-4000-8000-000000000000';

scenario('an unknown app is 404', async stage => {
  const client = await stage.client();
  for (const app of ['nothing', '', '../etc/passwd', 'x'.repeat(5_000)]) {
    assertProblem(await client.post('/api/v1/instances', { app }), 404, 'unknown_app');
  }
  assert.deepEqual(await client.instances(), []);
});

scenario('a size or frame rate out of range is 422, and says what is allowed', async stage => {
  const client = await stage.client();
  const wrong = [
    { width: 63 },
    { width: 7681 },
    { height: 0 },
    { height: -1 },
    { fps: 0 },
    { fps: 241 },
    { width: 4_294_967_297 },
  ];
  for (const part of wrong) {
    const answer = await client.post('/api/v1/instances', { app: 'pattern', ...part });
    assertProblem(answer, 422, 'out_of_range');
    assert.match(answer.body.detail, /allowed is \d+ to \d+/);
  }
  assert.deepEqual(await client.instances(), []);
});

scenario('a body that is not what it should be is a problem of the client', async stage => {
  const client = await stage.client();
  for (const body of [
    '',
    '{',
    '[]',
    '42',
    '{"app": 7}',
    '{"app": "pattern", "width": "wide"}',
    '{"width": 640}',
  ]) {
    const answer = await client.ask('POST', '/api/v1/instances', body, {
      'content-type': 'application/json',
    });
    assertProblem(answer, answer.status, /^[a-z_]+$/);
    assert.ok([400, 422].includes(answer.status), `${body}: ${answer.status}`);
  }
  const wide = await client.post('/api/v1/instances', { app: 'pattern', padding: 'x'.repeat(5_000_000) });
  assertProblem(wide, 413, 'too_large');
  const form = await client.ask('POST', '/api/v1/instances', 'app=pattern', {
    'content-type': 'application/x-www-form-urlencoded',
  });
  assertProblem(form, form.status, /^[a-z_]+$/);
  assert.ok([400, 415].includes(form.status), `a form: ${form.status}`);
  assert.deepEqual(await client.instances(), []);
});

scenario('an unknown instance, route or method has its code', async stage => {
  const client = await stage.client();
  for (const id of [NOBODY, 'not-an-id', '%00', 'x'.repeat(3_000)]) {
    assertProblem(await client.get(`/api/v1/instances/${id}`), 404, 'unknown_instance');
    assertProblem(await client.delete(`/api/v1/instances/${id}`), 404, 'unknown_instance');
    assertProblem(await client.get(`/api/v1/instances/${id}/screenshot`), 404, 'unknown_instance');
    assertProblem(await client.post(`/api/v1/instances/${id}/restart`, {}), 404, 'unknown_instance');
  }
  assertProblem(await client.get('/api/v1/nothing'), 404, 'not_found');
  const put = await client.ask('PUT', '/api/v1/instances', {});
  assertProblem(put, put.status, /^(method_not_allowed|not_found)$/);
});

scenario('no capacity is 503 with Retry-After, a full session 429', async stage => {
  const [one, two, three] = [await stage.client(), await stage.client(), await stage.client()];
  await one.launch('pattern');
  assertProblem(await one.post('/api/v1/instances', { app: 'pattern' }), 429, 'session_limit');
  const second = await two.launch('pattern');
  const full = await three.post('/api/v1/instances', { app: 'pattern' });
  assertProblem(full, 503, 'capacity');
  assert.ok(Number(full.headers['retry-after']) > 0, 'Retry-After');
  assert.equal(full.body.retry_after, Number(full.headers['retry-after']));
  const { body } = await three.get('/api/v1/instances');
  assert.deepEqual([body.capacity.total, body.capacity.used, body.capacity.free], [2, 2, 0]);

  await two.delete(`/api/v1/instances/${second.instance_id}`);
  await until('the place is free again', async () => {
    const { body: now } = await three.get('/api/v1/instances');
    return now.capacity.free === 1;
  });
  await three.launch('pattern');
});

scenario('eight launches at once never take more than the places there are', async stage => {
  const clients = await Promise.all(Array.from({ length: 8 }, () => stage.client()));
  const answers = await Promise.all(
    clients.map(client => client.post('/api/v1/instances', { app: 'pattern' })),
  );
  const launched = answers.filter(({ status }) => status === 201);
  for (const { body } of launched) stage.host.instances.add(body.instance_id);
  assert.equal(launched.length, 2);
  for (const answer of answers) if (answer.status !== 201) assertProblem(answer, 503, 'capacity');
});

scenario('the screenshot of an instance is a PNG of its size', async stage => {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern', { width: 320, height: 200 });
  await client.statusBecomes(instance_id, 'RUNNING');
  const { status, headers, body } = await client.get(`/api/v1/instances/${instance_id}/screenshot`);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'image/png');
  assert.equal(body.subarray(1, 4).toString(), 'PNG');
  assert.deepEqual([body.readUInt32BE(16), body.readUInt32BE(20)], [320, 200]);
  const many = await Promise.all(
    Array.from({ length: 60 }, () => client.get(`/api/v1/instances/${instance_id}/screenshot`)),
  );
  assert.ok(
    many.every(answer => answer.status === 200),
    'sixty who ask at once are all answered',
  );
});

scenario('a launch that is ended while it starts leaves nothing', async stage => {
  const client = await stage.client();
  for (let round = 0; round < 4; round += 1) {
    const { instance_id } = await client.launch('pattern');
    assert.equal((await client.delete(`/api/v1/instances/${instance_id}`)).status, 202);
    await until(
      'its place is free',
      async () => (await client.get('/api/v1/instances')).body.capacity.used === 0,
    );
    await until('no process is left', () => processesOf(instance_id).length === 0);
  }
});

scenario('health is told without a session', async stage => {
  const nobody = new Client(stage.host);
  assert.equal((await nobody.get('/healthz')).status, 200);
  assert.equal((await nobody.get('/readyz')).status, 200);
});
