import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RESTART_WITHIN_MS } from '../../static/viewer/ladder.js';
import { FakeConnection, FakeSocket, settle } from './support.js';
import { answer, connect, greet, instance, link, offers, welcome } from './talk.js';

const turn = { urls: ['turn:a.example:3478?transport=udp'], username: '1:u', credential: 'c' };
const fresh = { ...turn, username: '2:u' };

/** A viewer with a picture that comes over a path of this type. @param {string} path */
async function connected(path) {
  const around = link();
  await greet();
  await connect('p1');
  FakeConnection.last.path = path;
  return around;
}

const restarts = () => FakeSocket.last.sentOf('restart_ice');

test('servers and policy of the welcome are those of the first offer', async () => {
  link();
  FakeSocket.last.accept();
  FakeSocket.last.say({ ...welcome, ice_servers: [turn], ice_transport_policy: 'relay' });
  FakeSocket.last.say(instance());
  await settle();
  const { iceServers, iceTransportPolicy } = FakeConnection.last.configuration;
  assert.deepEqual([iceServers, iceTransportPolicy], [[turn], 'relay']);
});

test('fresh credentials take a relayed connection to a new relay, which is there before the old one is left', async () => {
  const { viewer, clock } = await connected('relay');
  const connection = FakeConnection.last;
  FakeSocket.last.say({ type: 'ice_servers', ice_servers: [fresh], ice_transport_policy: 'all' });
  await settle();
  assert.deepEqual(connection.configuration.iceServers, [fresh]);
  assert.equal(connection.restarts, 1);
  assert.equal(restarts().length, 0, 'not before its candidates are known');
  connection.find('relayed', 'relay');
  connection.find(null);
  await settle();
  assert.deepEqual(restarts(), [{ type: 'restart_ice', peer_id: 'p1', sdp: 'offer-0-1' }]);
  assert.equal(FakeSocket.last.sentOf('candidate').length, 0);
  FakeSocket.last.say({ type: 'candidate', peer_id: 'p1', candidate: { candidate: 'theirs' } });
  assert.equal(connection.candidates.length, 0);
  FakeSocket.last.say(answer('p1'));
  await settle();
  assert.equal(connection.remoteDescription.sdp, 'answer-p1');
  assert.equal(connection.candidates.length, 1);
  assert.equal(FakeSocket.last.sentOf('candidate').length, 2);
  await clock.advance(RESTART_WITHIN_MS);
  assert.deepEqual([viewer.shown.state, offers()], ['connected', 1]);
  assert.equal(FakeConnection.all.length, 1);
});

test('fresh credentials change nothing for who needs no relay', async () => {
  await connected('host');
  FakeSocket.last.say({ type: 'ice_servers', ice_servers: [fresh] });
  await settle();
  assert.deepEqual(FakeConnection.last.configuration.iceServers, [fresh]);
  assert.equal(FakeConnection.last.restarts, 0);
});

test('a host that knows no restart is left alone: the connection works on', async () => {
  const { viewer, clock } = await connected('relay');
  FakeSocket.last.say({ type: 'ice_servers', ice_servers: [fresh] });
  await settle();
  FakeConnection.last.find(null);
  await settle();
  FakeSocket.last.say({ type: 'error', code: 'unknown_type', message: 'unknown message type' });
  await settle();
  assert.equal(FakeConnection.last.rolledBack, 1);
  await clock.advance(RESTART_WITHIN_MS);
  assert.deepEqual([viewer.shown.state, offers()], ['connected', 1]);
});

test('an interrupted connection looks for another path at once, and says so', async () => {
  const { viewer } = await connected('host');
  FakeConnection.last.become('disconnected');
  await settle();
  assert.equal(restarts().length, 1);
  assert.deepEqual(
    [viewer.shown.state, viewer.shown.detail],
    ['reconnecting', 'Looking for another path to the host.'],
  );
  FakeSocket.last.say(answer('p1'));
  await settle();
  FakeConnection.last.become('connected');
  assert.equal(viewer.shown.state, 'connected');
  assert.equal(offers(), 1);
  assert.equal(viewer.facts.rung, 'steady');
});

test('another network is a reason to look, whatever the connection believes', async () => {
  const { viewer } = await connected('host');
  viewer.networkChanged();
  await settle();
  assert.equal(restarts().length, 1);
  assert.equal(viewer.shown.state, 'connected');
  // While that is under way, another word of it begins nothing.
  viewer.networkChanged();
  FakeSocket.last.say({ type: 'restart_ice', peer_id: 'p1' });
  await settle();
  assert.equal(FakeConnection.last.restarts, 1);
});

test('without a network nothing is looked for, and on the next one everything anew', async () => {
  const { viewer, clock, seen } = await connected('host');
  FakeConnection.last.channels.input.answers = false;
  seen.online = false;
  viewer.networkChanged();
  viewer.networkChanged();
  await clock.advance(5000);
  assert.equal(FakeConnection.last.restarts, 0);
  assert.deepEqual(
    [viewer.shown.state, viewer.shown.code, viewer.shown.detail],
    ['reconnecting', 'offline', 'This device has no network.'],
  );
  // It goes out over a socket of the old network, which nobody reads any more.
  FakeSocket.answers = false;
  FakeConnection.last.become('disconnected');
  await settle();
  assert.equal(restarts().length, 1);
  seen.online = true;
  viewer.networkChanged();
  await settle();
  assert.equal(restarts().length, 2, 'what was found before is worth nothing here');
  await clock.advance(1500);
  assert.equal(FakeSocket.all.length, 2, 'the socket is not waited for');
  await greet();
  FakeSocket.last.say({ type: 'resumed', peer_id: 'p1' });
  await settle();
  assert.equal(restarts().length, 1, 'and what went out over it is not either');
  FakeSocket.last.say(answer('p1'));
  await settle();
  FakeConnection.last.become('connected');
  assert.equal(viewer.shown.state, 'connected');
  assert.deepEqual([viewer.peer?.id, FakeConnection.all.length, viewer.facts.rung], ['p1', 1, 'steady']);
});

test('when nothing comes through, the socket has to answer, or another one looks for a path', async () => {
  const { viewer, clock } = await connected('host');
  FakeConnection.last.channels.input.answers = false;
  await clock.advance(7000);
  assert.deepEqual([viewer.shown.code, FakeConnection.last.restarts], ['silent', 0]);
  assert.equal(FakeSocket.all.length, 1, 'it answers');
  FakeSocket.answers = false;
  viewer.networkChanged(false);
  await clock.advance(3500);
  assert.equal(FakeSocket.all.length, 2);
  await greet();
  FakeSocket.last.say({ type: 'resumed', peer_id: 'p1' });
  await settle();
  assert.equal(restarts().length, 1);
});

test('an interrupted path is not waited for on a socket that it has taken along', async () => {
  const { clock } = await connected('host');
  FakeSocket.answers = false;
  FakeConnection.last.become('disconnected');
  await settle();
  assert.equal(restarts().length, 1);
  await clock.advance(3500);
  assert.equal(FakeSocket.all.length, 2);
  await greet();
  FakeSocket.last.say({ type: 'resumed', peer_id: 'p1' });
  await settle();
  assert.equal(restarts().length, 1, 'once more, over this one');
});

test('the answer to a restart that another has overtaken is not taken for that of the other', async () => {
  const { viewer, seen } = await connected('host');
  FakeConnection.last.become('disconnected');
  await settle();
  seen.online = false;
  viewer.networkChanged();
  seen.online = true;
  viewer.networkChanged();
  await settle();
  assert.equal(restarts().length, 2);
  const connection = FakeConnection.last;
  connection.remoteDescription = null;
  FakeSocket.last.say({ ...answer('p1'), sdp: 'answer to the first' });
  await settle();
  assert.equal(connection.remoteDescription, null);
  assert.equal(viewer.facts.rung, 'restarting');
  FakeSocket.last.say({ ...answer('p1'), sdp: 'answer to the second' });
  await settle();
  assert.equal(FakeConnection.last.remoteDescription.sdp, 'answer to the second');
});

test('the host may ask for another path, for the peer that there is', async () => {
  await connected('host');
  FakeSocket.last.say({ type: 'restart_ice', peer_id: 'other' });
  await settle();
  assert.equal(FakeConnection.last.restarts, 0);
  FakeSocket.last.say({ type: 'restart_ice', peer_id: 'p1' });
  await settle();
  assert.equal(FakeConnection.last.restarts, 1);
});

test('a restart that waits for a socket is sent over the next one', async () => {
  const { viewer, clock } = await connected('host');
  FakeSocket.last.drop();
  FakeConnection.last.become('disconnected');
  await clock.advance(600);
  assert.equal(FakeSocket.all.length, 2);
  await greet();
  assert.equal(restarts().length, 0, 'not before the host says that it still has the peer');
  FakeSocket.last.say({ type: 'resumed', peer_id: 'p1' });
  await settle();
  assert.equal(restarts().length, 1);
  assert.equal(viewer.peer?.id, 'p1');
});

test('when no offer helps, the page may be loaded anew, and goes on trying', async () => {
  const { viewer, clock } = await connected('host');
  FakeConnection.last.become('failed');
  for (let n = 0; n < 6; n++) {
    await clock.advance(RESTART_WITHIN_MS);
    FakeSocket.last.say({ type: 'pong', t: 0 });
    await clock.advance(RESTART_WITHIN_MS);
    FakeSocket.last.say({ type: 'pong', t: 0 });
    await clock.advance(RESTART_WITHIN_MS);
    FakeSocket.last.say({ type: 'pong', t: 0 });
  }
  assert.equal(viewer.shown.action, 'reload');
  assert.equal(viewer.shown.code, 'no_path');
  const before = offers();
  await clock.advance(14000);
  assert.ok(offers() > before);
});

test('a machine without a path that may be tried is told so at once', async () => {
  const { viewer } = link();
  FakeSocket.last.accept();
  FakeSocket.last.say({ ...welcome, ice_servers: [turn], ice_transport_policy: 'relay' });
  FakeSocket.last.say(instance());
  await settle();
  FakeConnection.last.onicecandidateerror?.({ errorCode: 401, url: turn.urls[0] });
  FakeConnection.last.find(null);
  assert.equal(viewer.shown.code, 'turn_refused');
  assert.match(viewer.shown.detail, /secret/);
});
