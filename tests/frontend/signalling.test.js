import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Signalling } from '../../static/viewer/signalling.js';
import { FakeSocket, settle, world } from './support.js';

const URL = 'ws://host/ws';
/** @param {string | null} [viewerId] */
function client(viewerId = null) {
  const around = world();
  const signalling = new Signalling(URL, around.env, viewerId);
  /** @type {any[]} */
  const events = [];
  for (const type of ['open', 'lost', 'message']) {
    signalling.addEventListener(type, event =>
      events.push([type, /** @type {CustomEvent} */ (event).detail]),
    );
  }
  return { ...around, signalling, events };
}
/** What a page has begun with. @param {FakeSocket} socket @param {object} [more] @returns {any} */
const begunWith = (socket, more = {}) => ({ signalling: { socket, heard: [] }, greeted: false, ...more });
const welcome = { type: 'welcome', session_id: 's', viewer_id: 'v' };

test('it says hello in the sub-protocol, with its viewer id if it has one', () => {
  const { signalling } = client('me');
  signalling.start();
  assert.equal(FakeSocket.last.protocol, 'heliostat.v1');
  FakeSocket.last.accept();
  assert.deepEqual(FakeSocket.last.sent, [{ type: 'hello', viewer_id: 'me' }]);
});

test('a socket that was begun before it is used first, whether it has opened or not', async () => {
  for (const opened of [false, true]) {
    const { signalling, clock, events } = client();
    const begun = new FakeSocket(URL, 'heliostat.v1');
    if (opened) begun.accept();
    signalling.start(begunWith(begun));
    assert.equal(FakeSocket.last, begun);
    if (!opened) begun.accept();
    assert.deepEqual(begun.sent, [{ type: 'hello' }]);
    assert.deepEqual(
      events.map(([type]) => type),
      ['open'],
    );
    begun.drop();
    await clock.advance(300);
    assert.notEqual(FakeSocket.last, begun);
  }
});

test('a socket that has greeted by itself says nothing twice, and what came by it is told in its order', async () => {
  const { signalling, events } = client();
  const begun = new FakeSocket(URL, 'heliostat.v1');
  begun.accept();
  const heard = [welcome, { type: 'viewers', count: 1, viewers: [] }].map(it => ({
    data: JSON.stringify(it),
  }));
  signalling.start(begunWith(begun, { greeted: true, signalling: { socket: begun, heard } }));
  assert.deepEqual(events, [['open', { greeted: true }]], 'not before everybody listens');
  await settle();
  begun.say({ type: 'pong', t: 1 });
  assert.deepEqual(begun.sent, []);
  assert.deepEqual(
    events.slice(1).map(([, message]) => /** @type {any} */ (message).type),
    ['welcome', 'viewers', 'pong'],
  );
  assert.equal(signalling.viewerId, 'v');
});

test('what came by a socket that was stopped is told to nobody', async () => {
  const { signalling, events } = client();
  const begun = new FakeSocket(URL, 'heliostat.v1');
  begun.accept();
  const heard = [{ data: JSON.stringify(welcome) }];
  signalling.start(begunWith(begun, { greeted: true, signalling: { socket: begun, heard } }));
  signalling.stop();
  await settle();
  assert.deepEqual(
    events.map(([type]) => type),
    ['open'],
  );
});

test('a socket that was begun and refused meanwhile is replaced at once', () => {
  const { signalling } = client();
  const begun = new FakeSocket(URL, 'heliostat.v1');
  begun.drop();
  signalling.start(begunWith(begun));
  assert.notEqual(FakeSocket.last, begun);
  FakeSocket.last.accept();
  assert.deepEqual(FakeSocket.last.sent, [{ type: 'hello' }]);
});

test('it keeps the viewer id it was given for the next socket', async () => {
  const { signalling, clock } = client();
  signalling.start();
  FakeSocket.last.accept();
  assert.deepEqual(FakeSocket.last.sent, [{ type: 'hello' }]);
  FakeSocket.last.say(welcome);
  FakeSocket.last.drop();
  await clock.advance(300);
  FakeSocket.last.accept();
  assert.deepEqual(FakeSocket.last.sent, [{ type: 'hello', viewer_id: 'v' }]);
});

test('a refused socket is tried again with growing delays, for ever', async () => {
  const { signalling, clock, events } = client();
  signalling.start();
  /** @type {number[]} */
  const starts = [];
  for (let i = 0; i < 8; i++) {
    starts.push(clock.now);
    FakeSocket.last.drop();
    await clock.advance(events.at(-1)[1].retryAt - clock.now);
  }
  assert.deepEqual(
    starts.slice(1).map((at, i) => at - starts[i]),
    [300, 600, 1200, 2400, 4800, 5000, 5000],
  );
  assert.equal(signalling.failedAttempts, 8);
});

test('the delay begins anew after a welcome, not after a mere open', async () => {
  const { signalling, clock, events } = client();
  signalling.start();
  FakeSocket.last.drop();
  await clock.advance(300);
  FakeSocket.last.accept();
  FakeSocket.last.drop();
  assert.equal(events.at(-1)[1].retryAt - clock.now, 600);
  await clock.advance(600);
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  FakeSocket.last.drop();
  assert.equal(events.at(-1)[1].retryAt - clock.now, 300);
});

test('a socket that neither opens nor closes is given up', async () => {
  const { signalling, clock } = client();
  signalling.start();
  const first = FakeSocket.last;
  await clock.advance(8300);
  assert.notEqual(FakeSocket.last, first);
  first.accept();
  assert.deepEqual(first.sent, []);
});

test('it pings, and gives a silent socket up', async () => {
  const { signalling, clock, events } = client();
  signalling.start();
  FakeSocket.last.accept();
  await clock.advance(10000);
  assert.equal(FakeSocket.last.sentOf('ping').length, 2);
  FakeSocket.last.say({ type: 'pong', t: 1 });
  await clock.advance(15000);
  assert.equal(events.filter(e => e[0] === 'lost').length, 0);
  await clock.advance(5000);
  assert.equal(events.filter(e => e[0] === 'lost').length, 1);
});

test('nothing is tried while nobody can see the page, and at once when somebody can', async () => {
  const { signalling, clock, seen } = client();
  signalling.start();
  seen.visible = false;
  FakeSocket.last.drop();
  await clock.advance(60000);
  assert.equal(FakeSocket.all.length, 1);
  seen.visible = true;
  signalling.wake();
  assert.equal(FakeSocket.all.length, 2);
});

test('waking does not wait for the delay and does not open a second socket', async () => {
  const { signalling, clock } = client();
  signalling.start();
  FakeSocket.last.drop();
  signalling.wake();
  signalling.wake();
  assert.equal(FakeSocket.all.length, 2);
  await clock.advance(1000);
  assert.equal(FakeSocket.all.length, 2);
});

test('what still makes sense later waits for the welcome, bounded, the rest does not', () => {
  const { signalling } = client();
  signalling.start();
  for (let i = 0; i < 70; i++) signalling.send({ type: 'grant_control', viewer_id: String(i) });
  for (const type of ['offer', 'candidate', 'stats', 'ping']) assert.equal(signalling.send({ type }), false);
  FakeSocket.last.accept();
  assert.equal(FakeSocket.last.sent.length, 1);
  FakeSocket.last.say(welcome);
  const later = FakeSocket.last.sent.slice(1);
  assert.equal(later.length, 64);
  assert.equal(later[0].viewer_id, '6');
});

test('malformed messages are ignored', () => {
  const { signalling, events } = client();
  signalling.start();
  FakeSocket.last.accept();
  FakeSocket.last.onmessage?.({ data: 'nonsense' });
  FakeSocket.last.onmessage?.({ data: '{"no":"type"}' });
  assert.equal(events.filter(e => e[0] === 'message').length, 0);
});

test('after stop nothing happens any more', async () => {
  const { signalling, clock, events } = client();
  signalling.start();
  const socket = FakeSocket.last;
  socket.accept();
  signalling.stop();
  assert.equal(socket.readyState, 3);
  socket.drop();
  await clock.advance(60000);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(events.filter(e => e[0] === 'lost').length, 0);
});

test('back on a network, a socket that was begun before is not waited for, and an open one has a second to answer', async () => {
  const { signalling, clock } = client();
  signalling.start();
  signalling.moved();
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.all[0].accept();
  assert.deepEqual(FakeSocket.all[0].sent, [], 'nobody listens to it any more');
  FakeSocket.last.accept();
  FakeSocket.last.say(welcome);
  await clock.advance(2000);
  signalling.moved();
  FakeSocket.last.say({ type: 'pong', t: 0 });
  await clock.advance(1000);
  assert.equal(FakeSocket.all.length, 3 - 1, 'it was heard of at once, and is as good as before');
  signalling.moved();
  await clock.advance(1500);
  assert.equal(FakeSocket.all.length, 3);
});
