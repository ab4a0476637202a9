import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin } from '../../static/viewer/begun.js';
import { Link } from '../../static/viewer/link.js';
// Loaded by the page when it may be needed; here it is there at once.
import '../../static/viewer/media-peer.js';
import { FakeConnection, FakeDecoder, FakeSocket, settle, webCodecs, world } from './support.js';
import { answer, instance, welcome } from './talk.js';

const HOST = 'http://host/stream/i';

/**
 * A page that has begun its sockets; its script comes with `arrive`.
 * @param {import('../../static/viewer/ways.js').Wish} [wish]
 * @param {{viewerId?: string | null, more?: object}} [options]
 */
function page(wish = 'websocket', { viewerId = null, more = {} } = {}) {
  const around = world();
  const env = { ...around.env, ...webCodecs(), ...more };
  const claim = () => 'c';
  const begun = begin({ ...env, claim }, HOST, { instance: 'i', viewerId, picture: wish === 'websocket' });
  const arrive = async () => {
    const viewer = new Link('ws://host/ws', 'i', { ...env, codecs: begun.codecs }, viewerId, wish);
    viewer.start(begun);
    await settle();
    return viewer;
  };
  return { ...around, begun, arrive };
}

/** What the host says of a media socket that it lets in, and a first frame. @param {FakeSocket} socket */
function letIn(socket) {
  socket.sayBytes(0x90, { peer_id: 'm1', codec: 'vp8' });
  socket.sayBytes(0x91, new Uint8Array([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]));
}

const media = () => FakeSocket.all.filter(({ url }) => url.includes('/media'));

/** @param {FakeSocket} socket @param {object} [first] */
function welcomes(socket, first = instance()) {
  socket.say(welcome);
  socket.say(first);
}

test('a page greets by its first socket as soon as that is open, and has one for the picture beside it', async () => {
  for (const [viewerId, hello] of [
    [null, { type: 'hello' }],
    ['me', { type: 'hello', viewer_id: 'me' }],
  ]) {
    page('websocket', { viewerId: /** @type {string | null} */ (viewerId) });
    await settle();
    const { signalling } = FakeSocket;
    assert.deepEqual(signalling.sent, []);
    signalling.accept();
    assert.deepEqual(signalling.sent, [hello, { type: 'watch', instance_id: 'i', claim: 'c' }]);
    const url = new URL(FakeSocket.media.url);
    assert.deepEqual([url.origin, url.pathname], ['ws://host', '/ws/media']);
    assert.deepEqual(Object.fromEntries(url.searchParams), { instance: 'i', claim: 'c', codecs: 'h264,vp8' });
    assert.equal(FakeSocket.media.protocol, 'heliostat.media.v1');
  }
});

test('a page has no socket for a picture that comes another way, or that it does not decode', async () => {
  /** @type {(() => ReturnType<typeof page>)[]} */
  const pages = [
    () => page('webrtc'),
    () => page('websocket', { more: { VideoDecoder: undefined } }),
    () =>
      page('websocket', {
        more: { VideoDecoder: { isConfigSupported: async () => ({ supported: false }) } },
      }),
  ];
  for (const make of pages) {
    assert.equal(await make().begun.media, null);
    assert.deepEqual(media(), []);
  }
});

test('the script takes over what has come, and neither greets nor opens anything again', async () => {
  const { arrive } = page();
  await settle();
  const { signalling } = FakeSocket;
  signalling.accept();
  welcomes(signalling);
  FakeSocket.media.accept();
  letIn(FakeSocket.media);
  const viewer = await arrive();
  FakeDecoder.last.work();
  await settle();
  assert.deepEqual([viewer.shown.state, viewer.peer?.id, viewer.way], ['connected', 'm1', 'websocket']);
  assert.deepEqual([media().length, FakeConnection.all.length], [1, 0]);
  assert.deepEqual(
    signalling.sent.map(({ type }) => type),
    ['hello', 'watch'],
  );
  // A later socket takes the peer over, and claims nothing.
  signalling.drop();
  viewer.wake();
  FakeSocket.signalling.accept();
  assert.deepEqual(FakeSocket.signalling.sentOf('watch'), [
    { type: 'watch', instance_id: 'i', peer_id: 'm1' },
  ]);
});

test('a script that comes before its sockets are open greets itself, and makes the claim', async () => {
  const { arrive } = page();
  const viewer = await arrive();
  FakeSocket.signalling.accept();
  assert.deepEqual(FakeSocket.signalling.sent, [
    { type: 'hello' },
    { type: 'watch', instance_id: 'i', claim: 'c' },
  ]);
  FakeSocket.media.accept();
  letIn(FakeSocket.media);
  welcomes(FakeSocket.signalling);
  FakeDecoder.last.work();
  await settle();
  assert.deepEqual([viewer.shown.state, media().length], ['connected', 1]);
});

for (const [what, happens] of /** @type {[string, (socket: FakeSocket) => void][]} */ ([
  ['refuses, for it knows no claims,', socket => socket.drop()],
  [
    'refuses, for nobody has claimed it,',
    socket => socket.sayBytes(0x92, { code: 'not_watching', message: '' }),
  ],
  [
    'is too full for,',
    socket => socket.sayBytes(0x92, { code: 'too_many_peers', message: '', retry_after: 2 }),
  ],
]))
  for (const late of [false, true])
    test(`a media socket that the host ${what} is opened again for the viewer once that is known${late ? ', which it is already' : ''}`, async () => {
      const { arrive } = page();
      await settle();
      FakeSocket.signalling.accept();
      const first = FakeSocket.media;
      first.accept();
      const viewer = await arrive();
      if (late) welcomes(FakeSocket.signalling);
      await settle();
      happens(first);
      await settle();
      if (!late) {
        assert.equal(media().length, 1, 'there is no viewer to open it for');
        assert.equal(viewer.shown.state, 'connecting');
        welcomes(FakeSocket.signalling);
        await settle();
      }
      assert.equal(media().length, 2);
      assert.equal(new URL(FakeSocket.media.url).searchParams.get('viewer'), 'v');
      FakeSocket.media.accept();
      letIn(FakeSocket.media);
      assert.deepEqual([viewer.shown.state, viewer.way], ['connected', 'websocket']);
    });

test('a media socket that was gone before the script came is opened again', async () => {
  const { arrive } = page();
  await settle();
  FakeSocket.signalling.accept();
  FakeSocket.media.drop();
  welcomes(FakeSocket.signalling);
  await arrive();
  assert.equal(media().length, 2);
});

test('a media socket of which nothing comes is opened again', async () => {
  const { arrive, clock } = page();
  await settle();
  FakeSocket.answers = true;
  FakeSocket.signalling.accept();
  FakeSocket.media.accept();
  await arrive();
  welcomes(FakeSocket.signalling);
  await clock.advance(6000);
  assert.equal(media().length, 2);
  assert.equal(media()[0].readyState, 3);
});

test('a page that is let watch nothing has no media socket', async () => {
  for (const said of [
    instance('FAILED', { reason: 'crash_loop' }),
    { type: 'error', code: 'unknown_instance', message: '' },
  ]) {
    const { arrive } = page();
    await settle();
    FakeSocket.signalling.accept();
    await arrive();
    FakeSocket.signalling.say(welcome);
    FakeSocket.signalling.say(said);
    await settle();
    assert.deepEqual(
      media().map(({ readyState }) => readyState),
      [3],
    );
  }
});

test('a viewer that is stopped, or that nobody sees, leaves no socket behind', async () => {
  const stopped = page();
  await settle();
  const viewer = await stopped.arrive();
  viewer.stop();
  await settle();
  assert.ok(FakeSocket.all.every(({ readyState }) => readyState === 3));
  const earlier = page();
  const link = earlier.arrive();
  // Before the script has what the picture takes.
  (await link).stop();
  await settle();
  assert.ok(FakeSocket.all.every(({ readyState }) => readyState === 3));
});

test('the first offer goes out with the wish to watch, and looks for paths once the servers are known', async () => {
  const { arrive } = page('webrtc');
  await arrive();
  FakeSocket.signalling.accept();
  await settle();
  assert.deepEqual(
    FakeSocket.signalling.sent.map(({ type }) => type),
    ['hello', 'watch', 'offer'],
  );
  const connection = FakeConnection.last;
  assert.ok(!connection.localDescription);
  const servers = [{ urls: 'turn:host' }];
  FakeSocket.signalling.say({ ...welcome, ice_servers: servers });
  await settle();
  assert.deepEqual(
    [connection.configuration.iceServers, connection.localDescription?.type],
    [servers, 'offer'],
  );
  FakeSocket.signalling.say(instance());
  await settle();
  assert.equal(FakeSocket.signalling.sentOf('offer').length, 1);
  FakeSocket.signalling.say(answer('p1'));
  await settle();
  assert.equal(connection.remoteDescription?.sdp, 'answer-p1');
  assert.equal(FakeConnection.all.length, 1);
});

test('what the host says of the wish to watch is not hidden by what it says of the offer that came with it', async () => {
  const refusal = { type: 'error', code: 'unknown_instance', message: 'none' };
  const moot = { type: 'error', code: 'not_watching', message: 'watch first' };
  for (const order of [
    [refusal, moot],
    [moot, refusal],
  ]) {
    const { arrive } = page('webrtc');
    const viewer = await arrive();
    FakeSocket.signalling.accept();
    await settle();
    FakeSocket.signalling.say(welcome);
    for (const message of order) FakeSocket.signalling.say(message);
    await settle();
    assert.deepEqual([viewer.shown.state, viewer.shown.code], ['error', 'unknown_instance']);
    assert.equal(FakeConnection.last.connectionState, 'closed');
  }
});

test('an offer to an instance that has failed is taken back, and made anew when it runs', async () => {
  const { arrive } = page('webrtc');
  const viewer = await arrive();
  FakeSocket.signalling.accept();
  await settle();
  FakeSocket.signalling.say(welcome);
  FakeSocket.signalling.say(instance('FAILED', { reason: 'crash_loop' }));
  FakeSocket.signalling.say(answer('p1'));
  await settle();
  assert.equal(FakeConnection.last.connectionState, 'closed');
  assert.equal(viewer.shown.state, 'failed');
  FakeSocket.signalling.say(instance());
  await settle();
  assert.deepEqual([FakeSocket.signalling.sentOf('offer').length, FakeConnection.all.length], [2, 2]);
  FakeSocket.signalling.say(answer('p2'));
  await settle();
  assert.equal(FakeConnection.last.remoteDescription?.sdp, 'answer-p2');
});
