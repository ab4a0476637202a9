// Bad input over the WebSocket: each has its code, and never costs others their picture.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { openDescriptors } from './harness/proc.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4 }, session: { resume_grace: '1s' } },
  apps: paths => [pattern(paths)],
});

const NOBODY = '00000000-0000-4000-8000-000000000000';

/** A socket that watches an instance of its own which runs. @param {import('./harness/stage.js').Stage} stage */
async function watching(stage) {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  await client.statusBecomes(instance_id, 'RUNNING');
  const socket = await Socket.greeted(client);
  socket.send({ type: 'watch', instance_id });
  const instance = await socket.next('instance');
  assert.equal(instance.instance_id, instance_id);
  return { client, socket, instance_id };
}

/** A page of the host, whose browser makes the offers. @param {import('./harness/stage.js').Stage} stage */
async function offering(stage) {
  const { page } = await stage.visitor();
  return () =>
    page.evaluate(async () => {
      const peer = new RTCPeerConnection();
      peer.addTransceiver('video', { direction: 'recvonly' });
      peer.createDataChannel('input', { ordered: true });
      peer.createDataChannel('moves', { ordered: false, maxRetransmits: 0 });
      const { sdp } = await peer.createOffer();
      peer.close();
      return sdp ?? '';
    });
}

scenario('the sub-protocol is agreed, and another one is refused', async stage => {
  const client = await stage.client();
  const { status } = await Socket.open(client, { 'sec-websocket-protocol': 'heliostat.v99' });
  assert.equal(status, 400);
  const socket = await Socket.greeted(client);
  await socket.close();
});

scenario('an unknown type is an error and the socket lives on', async stage => {
  const socket = await Socket.greeted(await stage.client());
  socket.send({ type: 'dance', with: 'me' });
  const error = await socket.next('error');
  assert.equal(error.code, 'unknown_type');
  assert.ok(error.message.length > 0);
  socket.send({ type: 'ping', t: 7 });
  assert.equal((await socket.next('pong')).t, 7);
  await socket.close();
});

scenario('a malformed message is an error, and repeated it ends the socket with 1008', async stage => {
  const client = await stage.client();
  const socket = await Socket.greeted(client);
  socket.sendText('{"type": "ping"');
  assert.equal((await socket.next('error')).code, 'malformed');
  socket.send({ type: 'ping', t: 1 });
  await socket.next('pong');
  for (let i = 0; i < 40 && socket.closed === null; i += 1) socket.sendText(`not json ${i}`);
  assert.equal(await socket.ended(), 1008);
  const another = await Socket.greeted(client);
  await another.close();
});

scenario('wrong fields are errors', async stage => {
  const socket = await Socket.greeted(await stage.client());
  for (const message of [{ type: 'watch' }, { type: 'watch', instance_id: 'x' }, { type: 'offer', sdp: 7 }]) {
    socket.send(message);
    assert.match((await socket.next('error')).code, /^[a-z_]+$/);
  }
  await socket.close();
});

scenario('an unknown instance cannot be watched', async stage => {
  const socket = await Socket.greeted(await stage.client());
  socket.send({ type: 'watch', instance_id: NOBODY });
  assert.equal((await socket.next('error')).code, 'unknown_instance');
  await socket.close();
});

scenario('an SDP that does not parse has its code', async stage => {
  const { socket } = await watching(stage);
  for (const sdp of [
    '',
    'nonsense',
    'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n',
    `v=0\r\n${'a=x\r\n'.repeat(2_000)}`,
    '\u0000',
  ]) {
    socket.send({ type: 'offer', sdp });
    assert.equal((await socket.next('error')).code, 'bad_sdp');
  }
  await socket.close();
});

scenario('an offer without a common codec has its code', async stage => {
  const offer = await offering(stage);
  const { socket } = await watching(stage);
  const sdp = (await offer()).replaceAll(/(a=rtpmap:\d+ )(H264|VP8)\//g, '$1NOTHING/');
  socket.send({ type: 'offer', sdp });
  assert.equal((await socket.next('error')).code, 'no_common_codec');
  // The same socket may offer again, with something to agree on.
  socket.send({ type: 'offer', sdp: await offer() });
  assert.match((await socket.next('answer')).sdp, /^v=0/);
  await socket.close();
});

scenario('a candidate for nobody has its code', async stage => {
  const { socket } = await watching(stage);
  const candidate = { candidate: 'candidate:1 1 udp 1 127.0.0.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0 };
  socket.send({ type: 'candidate', peer_id: NOBODY, candidate });
  assert.equal((await socket.next('error')).code, 'unknown_peer');
  socket.send({ type: 'candidate', peer_id: 'x', candidate });
  assert.match((await socket.next('error')).code, /^[a-z_]+$/);
  await socket.close();
});

scenario("nobody adds candidates to somebody else's connection", async stage => {
  const offer = await offering(stage);
  const { socket, instance_id } = await watching(stage);
  socket.send({ type: 'offer', sdp: await offer() });
  const { peer_id } = await socket.next('answer');
  const intruder = await Socket.greeted(await stage.client());
  intruder.send({ type: 'watch', instance_id });
  await intruder.next('instance');
  const candidate = { candidate: 'candidate:1 1 udp 1 127.0.0.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0 };
  intruder.send({ type: 'candidate', peer_id, candidate });
  assert.equal((await intruder.next('error')).code, 'unknown_peer');
  intruder.send({ type: 'grant_control', viewer_id: NOBODY });
  assert.match((await intruder.next('error')).code, /^(not_allowed|unknown_viewer)$/);
  await intruder.close();
  await socket.close();
});

scenario('a broken candidate of a living connection is an error', async stage => {
  const offer = await offering(stage);
  const { socket } = await watching(stage);
  socket.send({ type: 'offer', sdp: await offer() });
  const { peer_id } = await socket.next('answer');
  socket.send({ type: 'candidate', peer_id, candidate: { candidate: 'candidate:garbage', sdpMid: '0' } });
  assert.match((await socket.next('error')).code, /^[a-z_]+$/);
  await socket.close();
});

scenario('a description or candidate that is too large is an error and the socket lives on', async stage => {
  const { socket } = await watching(stage);
  socket.send({ type: 'offer', sdp: `v=0\r\n${'x'.repeat(70_000)}` });
  assert.equal((await socket.next('error')).code, 'too_large');
  socket.send({ type: 'candidate', peer_id: NOBODY, candidate: { candidate: 'x'.repeat(5_000) } });
  assert.equal((await socket.next('error')).code, 'too_large');
  socket.send({ type: 'ping', t: 5 });
  assert.equal((await socket.next('pong')).t, 5);
  await socket.close();
});

scenario('a message that is too large ends the socket, in one frame or in many', async stage => {
  const client = await stage.client();
  const huge = JSON.stringify({ type: 'offer', sdp: 'x'.repeat(2_000_000) });
  for (const send of /** @type {const} */ (['sendText', 'sendInTwo'])) {
    const socket = await Socket.greeted(client);
    socket[send](huge);
    assert.ok([1006, 1009].includes(await socket.ended()), `${send}: ${socket.closed}`);
  }
  const socket = await Socket.greeted(client);
  socket.sendInTwo(JSON.stringify({ type: 'ping', t: 3 }));
  assert.equal((await socket.next('pong')).t, 3);
  await socket.close();
});

scenario('sockets that come, offer and go leave no descriptor and no peer', async stage => {
  const offer = await offering(stage);
  const { client, instance_id, socket } = await watching(stage);
  const round = async () => {
    const one = await Socket.greeted(client);
    one.send({ type: 'watch', instance_id });
    await one.next('instance');
    one.send({ type: 'offer', sdp: await offer() });
    await one.next('answer');
    await one.close();
  };
  await round();
  const gone = async () => (await client.instance(instance_id)).viewers === 1;
  await until('the first viewer is gone', gone);
  const before = openDescriptors(stage.host.pid);
  for (let i = 0; i < 5; i += 1) await round();
  await until('the viewers are gone', gone);
  await until('their descriptors are gone', () => {
    const now = openDescriptors(stage.host.pid);
    if (now > before) throw new Error(`${now} descriptors, ${before} before`);
    return true;
  });
  await socket.close();
});
