import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AFTER_CLOSE, afterClose, closeWords } from '../../static/viewer/close-reasons.js';
import { RESTART_WITHIN_MS } from '../../static/viewer/ladder.js';
import { FakeConnection, FakeSocket, settle } from './support.js';
import { answer, connect, greet, instance, link, offers } from './talk.js';

const reasons = Object.keys(AFTER_CLOSE);

/** A viewer with a picture that has been there for a while. */
async function steady() {
  const it = link();
  await greet();
  await connect('p1');
  await it.clock.advance(6000);
  FakeSocket.last.say({ type: 'pong', t: 0 });
  return { ...it, before: offers() };
}

/** @param {string} reason told over the socket */
const told = reason => FakeSocket.last.say({ type: 'closed', peer_id: 'p1', reason });
/** @param {string} reason told over the data channel */
function whispered(reason) {
  const bytes = new Uint8Array([1, 0x85, ...new TextEncoder().encode(reason)]);
  FakeConnection.last.channels.input.onmessage?.({ data: bytes.buffer });
}

test('every reason of the host is known to the page, and no other', () => {
  const words = readFileSync(new URL('../../src/protocol/words.rs', import.meta.url), 'utf8');
  const [, list] = /** @type {RegExpMatchArray} */ (words.match(/CloseReason \{([^}]*)\}/));
  const hosts = [...list.matchAll(/= "([a-z_]+)"/g)].map(([, word]) => word);
  assert.deepEqual(hosts, reasons);
});

test('a reason of a newer host is a fault that another offer mends', () => {
  for (const reason of ['', 'toString', 'eclipse']) {
    assert.equal(afterClose(reason), 'offer');
    assert.equal(closeWords(reason), closeWords('fault'));
  }
});

for (const reason of reasons) {
  for (const [way, tell] of /** @type {const} */ ([
    ['the socket', told],
    ['the data channel', whispered],
  ])) {
    test(`${reason}, told over ${way}: the page says so and does what helps`, async () => {
      const { viewer, clock, before } = await steady();
      const connection = FakeConnection.last;
      const sockets = FakeSocket.all.length;
      tell(reason);
      // A connection that is closed is let go at once, whatever follows.
      assert.equal(connection.connectionState, 'closed');
      const { state, detail } = viewer.shown;
      await clock.advance(10);
      switch (AFTER_CLOSE[/** @type {import('../../static/viewer/protocol.js').CloseReason} */ (reason)]) {
        case 'offer':
          assert.deepEqual([state, detail], ['reconnecting', closeWords(reason)]);
          assert.equal(offers(), before + 1);
          break;
        case 'wait':
          assert.deepEqual([state, detail], ['reconnecting', closeWords(reason)]);
          assert.equal(offers(), before);
          await clock.advance(3100);
          assert.equal(offers(), before + 1);
          break;
        case 'end':
          assert.deepEqual([state, viewer.shown.action], ['ended', 'launch']);
          assert.equal(offers(), before);
          // Restarted by somebody: the same page goes on.
          FakeSocket.last.say(instance('INITIALIZING'));
          await settle();
          assert.equal(offers(), before + 1);
          break;
        case 'leave':
          assert.deepEqual([state, detail, viewer.shown.action], ['error', closeWords(reason), null]);
          await clock.advance(4000);
          assert.equal(offers(), before);
          // Let in again by another link: the same page goes on.
          FakeSocket.last.say(instance('INITIALIZING'));
          await settle();
          assert.equal(offers(), before + 1);
          break;
        case 'rename':
          assert.equal(FakeSocket.all.length, sockets + 1);
          await greet();
          assert.deepEqual(FakeSocket.last.sent[0], { type: 'hello' });
          assert.equal(offers(), 1);
          break;
      }
      await connect('p2');
      assert.equal(viewer.shown.state, reason.match(/ended|exited/) ? 'restarting' : 'connected');
      // What is told of the older one, however late, changes nothing.
      told(reason);
      assert.equal(viewer.peer?.id, 'p2');
      assert.equal(FakeConnection.last.connectionState, 'connected');
    });
  }

  test(`${reason}, told over the data channel without a socket: the page offers when it has one`, async () => {
    const { viewer, clock, before } = await steady();
    FakeSocket.last.drop();
    whispered(reason);
    const ends = afterClose(reason) === 'end';
    const left = afterClose(reason) === 'leave' ? 'error' : 'reconnecting';
    const state = reason === 'superseded' ? viewer.shown.state : ends ? 'ended' : left;
    assert.equal(viewer.shown.state, state);
    assert.equal(before, 1);
    await clock.advance(300);
    await greet();
    // No living peer is asked for, and no time is lost: this may be another host.
    assert.deepEqual(FakeSocket.last.sentOf('watch'), [{ type: 'watch', instance_id: 'i' }]);
    assert.equal(offers(), 1);
    await connect('p2');
    assert.equal(viewer.shown.state, 'connected');
  });
}

test('a connection that broke before the reason came is explained by it', async () => {
  const { viewer } = await steady();
  FakeConnection.last.become('failed');
  assert.equal(viewer.shown.detail, 'Looking for another path to the host.');
  told('fault');
  assert.equal(viewer.shown.detail, closeWords('fault'));

  const ended = await steady();
  FakeConnection.last.become('failed');
  told('app_exited');
  assert.equal(ended.viewer.shown.state, 'ended');
});

test('a peer that the page replaced itself is superseded, which makes nobody else of it', async () => {
  const { viewer, clock } = await steady();
  const sockets = FakeSocket.all.length;
  FakeConnection.last.become('failed');
  await clock.advance(RESTART_WITHIN_MS + 10);
  told('superseded');
  assert.equal(FakeSocket.all.length, sockets);
  await connect('p2');
  assert.equal(viewer.shown.state, 'connected');
});

test('a host that is going and refuses an offer for it is still one that is going', async () => {
  const { viewer, clock, before } = await steady();
  told('host_shutdown');
  await clock.advance(3100);
  assert.equal(offers(), before + 1);
  FakeSocket.last.say({ type: 'error', code: 'ending', message: 'the instance is ending' });
  assert.deepEqual([viewer.shown.state, viewer.shown.detail], ['reconnecting', closeWords('host_shutdown')]);
  FakeSocket.last.drop();
  await clock.advance(600);
  await greet();
  assert.equal(offers(), 1);
});

test('a viewer that never had a picture is told why the connection was closed', async () => {
  const { viewer, clock } = link();
  await greet();
  FakeSocket.last.say(answer('p1'));
  await settle();
  told('ice_failed');
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['connecting', 'no_path']);
  await clock.advance(400);
  assert.equal(offers(), 2);
});
