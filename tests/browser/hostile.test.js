// What somebody sends who means harm: each ends its own connection at most, is told why, and costs others nothing.

import assert from 'node:assert/strict';
import { connect } from 'node:net';

import { pattern } from './harness/apps.js';
import { openDescriptors } from './harness/proc.js';
import { assertProblem, Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: {
    limits: { wrong_tokens: 3, sockets_per_session: 400, sockets_per_address: 300, messages_per_second: 20 },
  },
  apps: paths => [pattern(paths)],
});

/** The host answers somebody else. @param {import('./harness/stage.js').Stage} stage */
async function others(stage) {
  const { status } = await new Client(stage.host).get('/healthz');
  assert.equal(status, 200);
}

/** A raw connection. @param {import('./harness/stage.js').Stage} stage @param {string} bytes sent at once */
function wire(stage, bytes) {
  const stream = connect(stage.host.port, '127.0.0.1');
  let said = '';
  stream.on('data', data => {
    said += data;
  });
  stream.on('error', () => {});
  stream.write(bytes);
  return { stream, said: () => said };
}

scenario('text that is nested ten thousand deep is refused, and the socket lives on', async stage => {
  const socket = await Socket.greeted(await stage.client());
  socket.sendText(`{"type":"stats","x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);
  assert.equal((await socket.next('error')).code, 'malformed');
  socket.send({ type: 'ping', t: 1 });
  await socket.next('pong');
  await socket.close();
  const client = await stage.client();
  const body = `{"app":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`;
  assertProblem(
    await client.ask('POST', '/api/v1/instances', body, { 'content-type': 'application/json' }),
    400,
    'bad_request',
  );
});

scenario(
  'a message in a hundred thousand frames, a flood of binary, and no UTF-8 end their socket',
  async stage => {
    const client = await stage.client();
    const crumbs = await Socket.greeted(client);
    crumbs.sendInCrumbs(' '.repeat(100_000));
    // What it goes on to send may cut the answer off.
    assert.ok([1006, 1009].includes(await crumbs.ended()), `${crumbs.closed}`);
    const binary = await Socket.greeted(client);
    for (let i = 0; i < 12; i += 1) binary.sendBinary(Buffer.alloc(100, i));
    assert.equal(await binary.ended(), 1003);
    const broken = await Socket.greeted(client);
    broken.sendBytes(Buffer.from([0xff, 0xfe, 0x80]));
    assert.ok([1002, 1007, 1006].includes(await broken.ended()), `${broken.closed}`);
    await others(stage);
  },
);

scenario(
  'an offer of 300 KiB, one of a thousand sections, and an answer nobody asked for have their codes',
  async stage => {
    const client = await stage.client();
    const { instance_id } = await client.launch('pattern');
    const socket = await Socket.greeted(client);
    socket.send({ type: 'watch', instance_id });
    await socket.next('instance');
    socket.send({ type: 'offer', sdp: `v=0${'x'.repeat(300 << 10)}` });
    assert.equal((await socket.next('error')).code, 'too_large');
    const head = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n';
    socket.send({ type: 'offer', sdp: head + 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\n'.repeat(1_000) });
    assert.equal((await socket.next('error')).code, 'bad_sdp');
    socket.send({ type: 'answer', peer_id: instance_id, sdp: head });
    assert.match((await socket.next('error')).code, /^(unknown_type|unknown_peer|malformed)$/);
    await socket.close();
  },
);

scenario('who sends faster than the rate is told so, and closed when it goes on', async stage => {
  const client = await stage.client();
  const socket = await Socket.greeted(client);
  for (let i = 0; i < 2_000; i += 1) socket.send({ type: 'ping', t: i });
  const refused = await socket.next('error');
  assert.equal(refused.code, 'rate_limited');
  assert.ok(refused.retry_after > 0);
  assert.equal(await socket.ended(), 1008);
  const another = await Socket.greeted(client);
  await another.close();
});

scenario('who guesses the token waits and is locked out, and who has it is let in', async stage => {
  const guesser = new Client(stage.host);
  guesser.from = '127.0.0.66';
  const guess = () => guesser.post('/api/v1/auth', { token: 'A'.repeat(43) });
  for (let i = 0; i < 3; i += 1) assertProblem(await guess(), 401, 'bad_token');
  const refused = await guess();
  assertProblem(refused, 429, 'locked_out');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  // A link is guessed no more often than the token; a right one opens as before, from that address, too.
  const owner = await stage.client();
  const { instance_id } = await owner.launch('pattern');
  const made = await owner.post(`/api/v1/instances/${instance_id}/links`, { role: 'spectator' });
  const exchange = (/** @type {string} */ link) => guesser.post('/api/v1/links/exchange', { link });
  assertProblem(await exchange('A'.repeat(43)), 429, 'locked_out');
  assert.equal((await exchange(made.body.secret)).status, 200);
  const right = await guesser.post('/api/v1/auth', { token: stage.host.token });
  assert.equal(right.status, 204);
  for (let i = 0; i < 3; i += 1) assertProblem(await exchange('A'.repeat(43)), 404, 'unknown_link');
  assertProblem(await exchange('A'.repeat(43)), 429, 'locked_out');
  const bearer = new Client(stage.host);
  bearer.from = '127.0.0.67';
  const show = () =>
    bearer.ask('GET', '/api/v1/instances', undefined, { authorization: `Bearer ${'B'.repeat(42)}A` });
  for (let i = 0; i < 3; i += 1) assertProblem(await show(), 401, 'auth_required');
  assertProblem(await show(), 429, 'locked_out');
});

scenario('no more sockets than allowed, and closed ones make room', async stage => {
  const client = await Client.withSession(stage.host, '127.0.0.70');
  const sockets = [];
  for (let i = 0; i < 300; i += 1) sockets.push(await Socket.greeted(client));
  const { status } = await Socket.open(client);
  assert.equal(status, 429);
  await others(stage);
  await sockets.pop()?.close();
  const one = await until('there is room again', async () => (await Socket.open(client)).socket);
  await one.close();
  await Promise.all(sockets.map(socket => socket.close()));
});

scenario(
  'requests that never end are cut off, and a thousand that say nothing cost nobody anything',
  async stage => {
    const before = openDescriptors(stage.host.pid);
    const slow = Array.from({ length: 100 }, () =>
      wire(stage, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${stage.host.port}\r\nX-A: `),
    );
    const drip = setInterval(() => {
      for (const { stream } of slow) if (!stream.destroyed) stream.write('a');
    }, 500);
    const silent = Array.from({ length: 1_000 }, () => wire(stage, ''));
    try {
      await others(stage);
      await until(
        'all are gone',
        () => [...slow, ...silent].every(({ stream }) => stream.readableEnded || stream.destroyed),
        {
          within: 60_000,
        },
      );
    } finally {
      clearInterval(drip);
      for (const { stream } of [...slow, ...silent]) stream.destroy();
    }
    await until('their descriptors are gone', () => openDescriptors(stage.host.pid) <= before + 2);
  },
);

scenario('heads without end, foreign hosts and rubbish are answered and closed', async stage => {
  const rubbish = [
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${stage.host.port}\r\n${`X-B: ${'b'.repeat(8_000)}\r\n`.repeat(40)}\r\n`,
    `GET /${'c'.repeat(200_000)} HTTP/1.1\r\n\r\n`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    `POST /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1:${stage.host.port}\r\nContent-Length: -5\r\n\r\n`,
    '\0\0\0\0',
  ];
  for (const bytes of rubbish) {
    const { stream, said } = wire(stage, bytes);
    await until('it is closed', () => stream.readableEnded || stream.destroyed, { within: 40_000 });
    assert.ok(said() === '' || /^HTTP\/1\.1 4\d\d /.test(said()), said().slice(0, 100));
    stream.destroy();
  }
  await others(stage);
});
