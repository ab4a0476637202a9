import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rungOf } from '../../static/viewer/rendition.js';
import { FakeConnection, FakeSocket, settle } from './support.js';
import { answer, connect, greet, instance, link, offers, welcome } from './talk.js';

/** A link with a connected peer of the given id. */
async function connected(id = 'p1') {
  const it = link();
  await greet();
  await connect(id);
  return it;
}

test('it watches and offers a picture to receive and two channels', async () => {
  const { viewer } = link();
  await greet();
  assert.deepEqual(
    FakeSocket.last.sent.map(m => m.type),
    ['hello', 'watch', 'offer'],
  );
  const connection = FakeConnection.last;
  assert.deepEqual(
    connection.transceivers.map(t => t.direction),
    ['recvonly'],
  );
  assert.equal(connection.transceivers[0].receiver.jitterBufferTarget, 0);
  assert.equal(connection.transceivers[0].receiver.playoutDelayHint, 0);
  assert.deepEqual(connection.channels.moves.options, { ordered: false, maxRetransmits: 0 });
  assert.equal(viewer.shown.state, 'connecting');
  assert.equal(FakeConnection.all.length, 1);
});

/** What a listener that comes now is told once more. @param {ReturnType<typeof link>['viewer']} viewer */
function retold(viewer) {
  const told = new Map();
  for (const type of ['change', 'welcome', 'status', 'control', 'track', 'channel', 'problem'])
    viewer.addEventListener(type, event => told.set(type, /** @type {CustomEvent} */ (event).detail));
  viewer.retell();
  return told;
}

test('who begins to listen late is told how things are', async () => {
  const { viewer } = await connected();
  FakeConnection.last.ontrack?.({ track: 'picture', receiver: {} });
  FakeSocket.last.say({ type: 'error', code: 'control_busy', message: '' });
  const told = retold(viewer);
  assert.equal(told.get('change').state, 'connected');
  assert.equal(told.get('welcome').viewer_id, 'v');
  assert.equal(told.get('status').status, 'RUNNING');
  assert.equal(told.get('track'), 'picture');
  assert.ok(told.has('channel'));
  assert.ok(!told.has('problem'));
});

test('who begins to listen late is not given the picture of a peer that is gone', async () => {
  const { viewer } = await connected();
  FakeConnection.last.ontrack?.({ track: 'picture', receiver: {} });
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'fault' });
  const told = retold(viewer);
  assert.ok(!told.has('track') && !told.has('channel'));
  assert.equal(told.get('change').state, 'reconnecting');
});

test('a host that comes and goes is offered to as fast the tenth time as the first', async () => {
  const { clock, viewer } = await connected();
  for (let round = 0; round < 10; round += 1) {
    const before = FakeConnection.all.length;
    FakeSocket.last.say({ type: 'closed', peer_id: viewer.peer?.id, reason: 'resume_expired' });
    await clock.advance(500);
    assert.ok(FakeConnection.all.length > before, `round ${round}`);
    FakeSocket.last.say(answer(`next-${round}`));
    await settle();
    FakeConnection.last.become('connected');
  }
});

test('candidates wait for the peer id, those of the host for the answer', async () => {
  const { viewer } = link();
  await greet();
  const connection = FakeConnection.last;
  connection.find('a');
  connection.find(null);
  assert.equal(FakeSocket.last.sentOf('candidate').length, 0);
  FakeSocket.last.say(answer('p1'));
  FakeSocket.last.say({ type: 'candidate', peer_id: 'p1', candidate: { candidate: 'x' } });
  FakeSocket.last.say({ type: 'candidate', peer_id: 'other', candidate: { candidate: 'y' } });
  await settle();
  connection.find('b');
  assert.deepEqual(
    FakeSocket.last.sentOf('candidate').map(m => [m.peer_id, m.candidate?.candidate ?? null]),
    [
      ['p1', 'a'],
      ['p1', null],
      ['p1', 'b'],
    ],
  );
  assert.deepEqual(connection.candidates, [{ candidate: 'x' }]);
  assert.equal(viewer.peer?.id, 'p1');
});

test('the ICE servers of the welcome are used', async () => {
  link();
  FakeSocket.last.accept();
  FakeSocket.last.say({ ...welcome, ice_servers: [{ urls: 'stun:x' }] });
  FakeSocket.last.say(instance());
  await settle();
  assert.deepEqual(FakeConnection.last.configuration.iceServers, [{ urls: 'stun:x' }]);
});

test('a failed instance gets no offer until it lives again', async () => {
  const { viewer } = link();
  await greet(instance('FAILED', { reason: 'crash_loop', output: ['boom'] }));
  assert.equal(offers(), 0);
  assert.equal(viewer.shown.state, 'failed');
  FakeSocket.last.say(instance('INITIALIZING'));
  await settle();
  assert.equal(offers(), 1);
});

test('a socket that drops and comes back takes the living peer over without an offer', async () => {
  const { viewer, clock } = await connected();
  FakeSocket.last.drop();
  assert.equal(viewer.shown.state, 'connected');
  await clock.advance(300);
  await greet();
  assert.deepEqual(FakeSocket.last.sentOf('watch'), [{ type: 'watch', instance_id: 'i', peer_id: 'p1' }]);
  FakeSocket.last.say({ type: 'resumed', peer_id: 'p1' });
  await clock.advance(5000);
  assert.equal(offers(), 0);
  assert.equal(FakeConnection.all.length, 1);
});

test('a host that does not know the peer any more gets a new offer', async () => {
  const { viewer, clock } = await connected();
  FakeSocket.last.drop();
  await clock.advance(300);
  await greet();
  await clock.advance(2000);
  assert.equal(offers(), 1);
  assert.equal(FakeConnection.all[0].connectionState, 'closed');
  assert.equal(viewer.shown.state, 'reconnecting');
});

test('a tab that comes back to another host never calls its old connection connected', async () => {
  const { viewer, clock } = await connected();
  FakeSocket.last.drop();
  await clock.advance(300);
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'resume_expired' });
  assert.equal(viewer.shown.state, 'reconnecting');
  FakeSocket.last.say(instance());
  assert.equal(viewer.shown.state, 'reconnecting');
  await clock.advance(500);
  assert.equal(offers(), 1, 'well before it would have noticed by itself');
});

test('a peer closed for a fault is replaced, and only the current one counts', async () => {
  const { viewer, clock } = await connected();
  FakeSocket.last.say({ type: 'closed', peer_id: 'older', reason: 'fault' });
  assert.equal(viewer.shown.state, 'connected');
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'fault' });
  assert.equal(viewer.shown.state, 'reconnecting');
  await clock.advance(300);
  assert.equal(offers(), 2);
  FakeSocket.last.say(answer('p2'));
  await settle();
  FakeConnection.last.become('connected');
  assert.equal(viewer.shown.state, 'reconnecting', 'it cannot be steered yet');
  FakeConnection.last.channels.input.open();
  assert.equal(viewer.shown.state, 'connected');
  assert.equal(viewer.peer?.id, 'p2');
});

test('a peer that is closed and a failed connection make a new offer; after a steady while at once', async () => {
  const { clock } = await connected();
  await clock.advance(6000);
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'fault' });
  await clock.advance(0);
  assert.equal(offers(), 2);
  FakeSocket.last.say(answer('p2'));
  await settle();
  FakeConnection.last.become('failed');
  await clock.advance(0);
  assert.equal(offers(), 2);
  await clock.advance(300);
  assert.equal(offers(), 3);
});

test('a connection that is interrupted shows it, may come back, and is replaced if it does not', async () => {
  const { viewer, clock } = await connected();
  FakeConnection.last.become('disconnected');
  assert.equal(viewer.shown.state, 'reconnecting');
  FakeConnection.last.become('connected');
  assert.equal(viewer.shown.state, 'connected');
  await clock.advance(4000);
  FakeSocket.last.say({ type: 'pong', t: 0 });
  assert.equal(offers(), 1);
  FakeConnection.last.become('disconnected');
  await clock.advance(5500);
  assert.equal(offers(), 2);
});

test('an offer without a connection is given up after a while', async () => {
  const { clock } = link();
  await greet();
  await clock.advance(9000);
  FakeSocket.last.say({ type: 'pong', t: 0 });
  assert.equal(offers(), 1);
  await clock.advance(1500);
  assert.equal(offers(), 2);
});

test('the answer to an offer that was given up is not taken for that of the next', async () => {
  const { viewer, clock } = link();
  await greet();
  FakeConnection.last.become('failed');
  await clock.advance(400);
  assert.equal(offers(), 2);
  FakeSocket.last.say(answer('old'));
  await settle();
  assert.equal(viewer.peer?.id, null);
  FakeSocket.last.say(answer('new'));
  await settle();
  assert.equal(viewer.peer?.id, 'new');
});

test('an answer that the browser refuses leads to another offer', async () => {
  const { clock } = link();
  await greet();
  FakeConnection.last.refuses = true;
  FakeSocket.last.say(answer('p1'));
  await clock.advance(400);
  assert.equal(offers(), 2);
});

test('an unknown instance is an error, unless it was seen: then the host may be adopting it', async () => {
  const unknown = link();
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  FakeSocket.last.say({ type: 'error', code: 'unknown_instance', message: '' });
  assert.equal(unknown.viewer.shown.state, 'error');

  const { viewer, clock } = await connected();
  FakeSocket.last.drop();
  await clock.advance(300);
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  FakeSocket.last.say({ type: 'error', code: 'unknown_instance', message: '' });
  assert.notEqual(viewer.shown.state, 'error');
  await clock.advance(300);
  assert.equal(FakeSocket.last.sentOf('watch').length, 2);
  FakeSocket.last.say(instance());
  await clock.advance(1500);
  assert.equal(offers(), 1);
});

test('no common codec is an error in words; too little of something else is tried again later', async () => {
  const first = link();
  await greet();
  FakeSocket.last.say({ type: 'error', code: 'no_common_codec', message: 'none' });
  await first.clock.advance(10000);
  assert.equal(first.viewer.shown.state, 'error');
  assert.equal(offers(), 1);

  const second = link();
  await greet();
  FakeSocket.last.say({ type: 'error', code: 'capacity', message: 'full', retry_after: 3 });
  await second.clock.advance(2900);
  assert.equal(offers(), 1);
  await second.clock.advance(200);
  assert.equal(offers(), 2);
});

test('an offer that the host has no room for says what is lacking, until one is taken', async () => {
  const { viewer, clock } = link();
  await greet();
  FakeSocket.last.say({
    type: 'error',
    code: 'no_udp_port',
    message: 'no free udp port between 40000 and 40001',
  });
  assert.match(viewer.shown.detail, /no UDP port left/);
  await clock.advance(6000);
  assert.equal(offers(), 2);
  await connect('p2');
  assert.equal(viewer.shown.state, 'connected');
});

test('an error after the connection is reported and changes nothing', async () => {
  const { viewer } = await connected();
  /** @type {any[]} */
  const problems = [];
  viewer.addEventListener('problem', event => problems.push(/** @type {CustomEvent} */ (event).detail.code));
  FakeSocket.last.say({ type: 'error', code: 'not_allowed', message: 'no control for you' });
  assert.deepEqual(problems, ['not_allowed']);
  assert.equal(viewer.shown.state, 'connected');
});

test('who is put out is told why, offers no more, and hears of its old peer without harm', async () => {
  const { viewer, clock } = await connected();
  const before = offers();
  FakeSocket.last.say({ type: 'error', code: 'access_ended', message: 'the link was revoked' });
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['error', 'access_ended']);
  assert.equal(FakeConnection.last.connectionState, 'closed');
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'access_ended' });
  await clock.advance(4000);
  assert.equal(offers(), before);
  assert.equal(viewer.shown.code, 'access_ended');
  // The next socket asks again, and is told what holds now.
  FakeSocket.last.drop();
  await clock.advance(6000);
  FakeSocket.last.accept();
  assert.equal(FakeSocket.last.sentOf('watch').length, 1);
  FakeSocket.last.say({ type: 'error', code: 'not_allowed', message: '' });
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['error', 'not_allowed']);
});

test('a superseded viewer becomes another one', async () => {
  const { viewer } = await connected();
  const sockets = FakeSocket.all.length;
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'superseded' });
  assert.equal(FakeSocket.all.length, sockets + 1);
  await greet();
  assert.deepEqual(FakeSocket.last.sent[0], { type: 'hello' });
  assert.equal(offers(), 1);
  assert.equal(viewer.peer?.id, null);
});

test('an instance that ended is not offered to again', async () => {
  const { viewer, clock } = await connected();
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'app_exited' });
  FakeSocket.last.say(instance('TERMINATED', { reason: 'app_exited' }));
  await clock.advance(3000);
  assert.equal(viewer.shown.state, 'ended');
  assert.equal(offers(), 1);
});

test('input goes out numbered over both channels, and a spectator sends none', async () => {
  const { viewer } = await connected();
  const { input, moves } = FakeConnection.last.channels;
  const before = input.sent.length;
  assert.equal(viewer.send({ type: 'move', x: 1, y: 2 }), true);
  assert.equal(viewer.send({ type: 'button', number: 0, pressed: true, x: 1, y: 2 }), true);
  assert.equal(moves.sent[0][2] + 1, input.sent[before][2]);
  FakeSocket.last.say({ type: 'control', holder: 'x', role: 'spectator' });
  assert.equal(viewer.send({ type: 'move', x: 1, y: 2 }), false);
  assert.equal(viewer.send({ type: 'release_all' }), false);
  assert.equal(viewer.send({ type: 'hidden' }), true);
  assert.equal(moves.sent.length, 1);
});

/** Which renditions the latest peer was told to be wanted. */
const pinned = () => FakeConnection.last.channels.input.sent.filter(frame => frame[1] === 13).map(f => f[10]);
const choosable = { renditions: [{ percent: 100 }, { percent: 50 }] };

test('the rendition that is chosen is told to every peer anew, also by who only watches, and none is what fits', async () => {
  const { viewer, clock } = link();
  viewer.pin('1');
  await greet(instance('RUNNING', choosable));
  await connect('p1');
  assert.deepEqual(pinned(), [1]);
  FakeSocket.last.say({ type: 'control', holder: 'x', role: 'spectator' });
  viewer.pin('0');
  viewer.pin('0');
  assert.deepEqual(pinned(), [1, 0]);
  FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason: 'fault' });
  await clock.advance(500);
  await connect('p2');
  assert.deepEqual(pinned(), [0]);
  viewer.pin(null);
  assert.deepEqual(pinned(), [0, 255]);
  FakeSocket.last.say({ type: 'closed', peer_id: 'p2', reason: 'fault' });
  await clock.advance(2000);
  await connect('p3');
  assert.deepEqual(pinned(), [], 'nothing is to be told');
});

test('a rendition that there is not is said to be none, and what fits is shown', async () => {
  const { viewer } = link();
  viewer.pin('2');
  /** @type {string[]} */
  const problems = [];
  viewer.addEventListener('problem', event => problems.push(/** @type {CustomEvent} */ (event).detail.code));
  await greet(instance('RUNNING', choosable));
  await connect('p1');
  assert.deepEqual([problems, pinned()], [['no_such_rendition'], [255]]);
});

test('which renditions can be asked for', () => {
  for (const [wish, most, rung] of /** @type {const} */ ([
    [null, 2, null],
    ['', 2, null],
    ['0', 2, 0],
    ['1', 2, 1],
    ['0', 1, 0],
  ]))
    assert.deepEqual(rungOf(wish, most), { rung, problem: '' }, String(wish));
  for (const [wish, most] of /** @type {const} */ ([
    ['2', 2],
    ['1', 1],
    ['-1', 2],
    ['1.0', 2],
    ['auto', 2],
    ['1 ', 2],
    ['x'.repeat(1000), 2],
  ])) {
    const { rung, problem } = rungOf(wish, most);
    assert.equal(rung, null);
    assert.ok(problem.length > 0 && problem.length < 120, problem);
  }
});

test('a congested channel loses moves and wheel, never a release', async () => {
  const { viewer } = await connected();
  const { input, moves } = FakeConnection.last.channels;
  moves.bufferedAmount = input.bufferedAmount = 1e6;
  assert.equal(viewer.send({ type: 'move', x: 1, y: 2 }), false);
  assert.equal(viewer.send({ type: 'wheel', dx: 0, dy: 120, x: 1, y: 2 }), false);
  assert.equal(viewer.send({ type: 'button', number: 0, pressed: false, x: 1, y: 2 }), true);
});

test('latency is measured once a second over the channel', async () => {
  const { viewer, clock } = await connected();
  const { input } = FakeConnection.last.channels;
  input.answers = false;
  await clock.advance(1000);
  const ping = /** @type {Uint8Array} */ (input.sent.filter(f => f[1] === 10).at(-1));
  viewer.latency.reset();
  await clock.advance(7);
  input.pong(ping);
  assert.equal(viewer.latency.value, 7);
  input.answers = true;
  await clock.advance(2000);
  assert.equal(input.sent.filter(f => f[1] === 10).length, 4);
});

test('a host that answers nothing is told, long before ICE gives up, and taken back when it answers', async () => {
  const { viewer, clock } = await connected();
  const { input } = FakeConnection.last.channels;
  await clock.advance(500);
  input.answers = false;
  FakeSocket.last.drop();
  await clock.advance(1000);
  assert.equal(viewer.shown.state, 'connected', 'one answer may be late');
  await clock.advance(2000);
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['reconnecting', 'silent']);
  assert.match(viewer.shown.detail, /as soon as the host answers/);
  assert.equal(FakeConnection.all.length, 1, 'the connection is kept');
  input.answers = true;
  await clock.advance(1000);
  assert.equal(viewer.shown.state, 'connected');
});

test('a status on the data channel counts as one on the socket', async () => {
  const { viewer } = await connected();
  const json = new TextEncoder().encode(JSON.stringify(instance('RESTARTING', { retry_in_ms: 500 })));
  FakeConnection.last.channels.input.onmessage?.({ data: new Uint8Array([1, 0x82, ...json]).buffer });
  assert.equal(viewer.shown.state, 'restarting');
});

test('stopping says so, closes the peer and leaves nothing running', async () => {
  const { viewer, clock } = await connected();
  const socket = FakeSocket.last;
  viewer.stop();
  assert.equal(socket.sentOf('unwatch').length, 1);
  assert.equal(FakeConnection.last.connectionState, 'closed');
  await clock.advance(60000);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(FakeConnection.all.length, 1);
  assert.equal(viewer.shown.state, 'idle');
});

test('a browser without WebRTC is told so', () => {
  const { viewer } = link({ RTCPeerConnection: undefined });
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['error', 'unsupported_browser']);
  assert.equal(FakeSocket.all.length, 0);
});

test('where too many watch the page says so, and comes in when there is room', async () => {
  const { clock, viewer } = link();
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  const full = { type: 'error', code: 'too_many_viewers', message: 'as many watch', retry_after: 10 };
  FakeSocket.last.say(full);
  await settle();
  assert.equal(viewer.shown.state, 'error');
  assert.equal(viewer.shown.title, 'Too many people are watching');
  assert.equal(FakeSocket.last.sentOf('watch').length, 1);
  await clock.advance(10_000);
  assert.equal(FakeSocket.last.sentOf('watch').length, 2);
  FakeSocket.last.say(full);
  await clock.advance(10_000);
  FakeSocket.last.say(instance());
  await settle();
  assert.equal(viewer.shown.state, 'connecting');
  assert.equal(offers(), 1);
});
