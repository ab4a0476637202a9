import assert from 'node:assert/strict';
import { test } from 'node:test';
// Loaded by the page when it may be needed; here it is there at once.
import '../../static/viewer/media-peer.js';
import { FakeConnection, FakeDecoder, FakeSocket, settle, webCodecs } from './support.js';
import { answer, connect, greet, instance, link } from './talk.js';

/** A frame's message after version and type. @param {boolean} key */
const frame = key => new Uint8Array([key ? 1 : 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]);

/** @param {import('../../static/viewer/ways.js').Wish} [wish] @param {object} [unusual] @param {boolean} [blocked] */
async function watching(wish = 'auto', unusual = {}, blocked = false) {
  const it = link({ ...webCodecs(), ...unusual }, wish, blocked);
  await greet();
  return it;
}

/** The host lets the media socket in, and its first picture is drawn. */
async function shows(id = 'm1') {
  await settle();
  FakeSocket.media.accept();
  FakeSocket.media.sayBytes(0x90, { peer_id: id, codec: 'vp8' });
  FakeSocket.media.sayBytes(0x91, frame(true));
  FakeDecoder.last.work();
  await settle();
}

/** WebRTC finds no path. @param {ReturnType<typeof link>['clock']} clock */
async function fallsBack(clock) {
  FakeSocket.signalling.say(answer('p1'));
  await clock.advance(4000);
  FakeSocket.signalling.say({ type: 'pong', t: 0 });
}

/** @param {ReturnType<typeof link>['viewer']} viewer @param {string} type */
function heard(viewer, type) {
  /** @type {any[]} */
  const all = [];
  viewer.addEventListener(type, event => all.push(/** @type {CustomEvent} */ (event).detail));
  return all;
}

test('who asks for a WebSocket has it alone, for the viewer that watches, in the formats that are decoded', async () => {
  const { viewer } = await watching('websocket');
  await settle();
  assert.equal(FakeConnection.all.length, 0);
  const url = new URL(FakeSocket.media.url);
  assert.equal(FakeSocket.media.protocol, 'heliostat.media.v1');
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    instance: 'i',
    viewer: 'v',
    codecs: 'h264,vp8',
  });
  const canvases = heard(viewer, 'canvas');
  assert.equal(viewer.shown.state, 'connecting');
  await shows();
  assert.equal(viewer.shown.state, 'connected');
  assert.deepEqual([viewer.peer?.id, viewer.way, canvases.length], ['m1', 'websocket', 1]);
  assert.deepEqual([canvases[0].width, canvases[0].height], [640, 360]);
});

test('every frame that keeps up is told to have been taken, what waits before the decoder is not', async () => {
  await watching('websocket');
  await shows();
  const counts = () => FakeSocket.media.frames.filter(f => f[1] === 0x10).map(f => f[10]);
  assert.deepEqual(counts(), [0, 1]);
  for (let i = 0; i < 5; i += 1) FakeSocket.media.sayBytes(0x91, frame(false));
  assert.deepEqual(counts(), [0, 1, 2, 3], 'two may wait');
  FakeDecoder.last.work();
  assert.deepEqual(counts(), [0, 1, 2, 3, 6]);
});

test('input goes by the WebSocket, and a spectator sends none', async () => {
  const { viewer } = await watching('websocket');
  assert.equal(viewer.send({ type: 'release_all' }), false, 'not before it is there');
  await shows();
  assert.equal(viewer.send({ type: 'move', x: 1, y: 2 }), true);
  assert.equal(FakeSocket.media.frames.at(-1)?.[1], 1);
  FakeSocket.media.bufferedAmount = 1e6;
  assert.equal(viewer.send({ type: 'move', x: 1, y: 2 }), false);
  assert.equal(viewer.send({ type: 'button', number: 0, pressed: false, x: 1, y: 2 }), true);
  FakeSocket.signalling.say({ type: 'control', holder: 'x', role: 'spectator' });
  assert.equal(viewer.send({ type: 'release_all' }), false);
});

test('WebRTC that is not connected 4 s after its answer is left for a WebSocket, without a word of failure', async () => {
  const { viewer, clock } = await watching();
  const shown = heard(viewer, 'change');
  await clock.advance(3000);
  FakeSocket.signalling.say(answer('p1'));
  await clock.advance(3900);
  FakeSocket.signalling.say({ type: 'pong', t: 0 });
  assert.equal(FakeSocket.media, undefined);
  await clock.advance(200);
  assert.equal(FakeConnection.last.connectionState, 'closed');
  await shows();
  assert.equal(viewer.shown.state, 'connected');
  assert.ok(!shown.some(({ title }) => /No path/.test(title)));
});

test('where WebRTC found no path the last time the picture comes by a WebSocket at once, and WebRTC is tried beside it', async () => {
  const { viewer, clock } = await watching('auto', {}, true);
  await shows();
  assert.deepEqual([viewer.shown.state, viewer.way], ['connected', 'websocket']);
  assert.equal(FakeConnection.all.length, 0, 'nothing takes its time from the first picture');
  await clock.advance(1000);
  assert.equal(FakeSocket.signalling.sentOf('offer')[0].beside, true);
  FakeSocket.signalling.say(answer('p1'));
  await settle();
  FakeConnection.last.become('connected');
  FakeConnection.last.channels.input.open();
  assert.deepEqual([viewer.peer?.id, viewer.way, FakeSocket.media.readyState], ['p1', 'webrtc', 3]);
});

test('a host that takes no media socket is offered WebRTC at once, whatever was found the last time', async () => {
  const { viewer } = link(webCodecs(), 'auto', true);
  await greet(instance(), ['webrtc', 'vnc']);
  await connect('p1');
  assert.deepEqual([viewer.shown.state, viewer.way], ['connected', 'webrtc']);
});

test('a host that has no UDP port left is asked for a WebSocket at once', async () => {
  const { viewer, clock } = await watching();
  FakeSocket.signalling.say({ type: 'error', code: 'no_udp_port', message: 'none' });
  await clock.advance(10);
  assert.ok(FakeSocket.media);
  assert.equal(viewer.way, 'websocket');
});

test('a browser that decodes nothing goes on with WebRTC, and says why no path was found and what would help', async () => {
  FakeDecoder.formats = [];
  const { viewer, clock } = link({ ...webCodecs(), VideoDecoder: undefined, secure: false });
  await greet();
  FakeSocket.signalling.say(answer('p1'));
  FakeConnection.last.become('failed');
  await clock.advance(100);
  assert.equal(viewer.shown.code, 'no_path');
  assert.match(viewer.shown.detail, /by a WebSocket, but only to pages opened by https/);
  await clock.advance(5000);
  assert.equal(FakeSocket.media, undefined);
});

test('who asks for a WebSocket where none is possible is told what to do', async () => {
  const bare = { VideoDecoder: undefined };
  const plain = link({ ...webCodecs(), ...bare, secure: false }, 'websocket');
  assert.equal(plain.viewer.shown.code, 'webcodecs_insecure');
  assert.match(plain.viewer.shown.detail, /by https/);
  const old = link({ ...webCodecs(), ...bare, secure: true }, 'websocket');
  assert.equal(old.viewer.shown.code, 'no_webcodecs');
  const unable = webCodecs();
  FakeDecoder.formats = [];
  const { viewer } = link(unable, 'websocket');
  await settle();
  assert.equal(viewer.shown.code, 'no_webcodecs');
});

test('while the WebSocket works WebRTC is tried beside it, and takes over when it can be steered by', async () => {
  const { viewer, clock } = await watching();
  await fallsBack(clock);
  await shows();
  const ways = heard(viewer, 'way');
  const channels = heard(viewer, 'channel');
  await tick(clock, 29_000);
  assert.equal(FakeSocket.signalling.sentOf('offer').length, 1);
  await tick(clock, 1500);
  const [, offer] = FakeSocket.signalling.sentOf('offer');
  assert.equal(offer.beside, true);
  FakeSocket.signalling.say(answer('p2'));
  await settle();
  FakeConnection.last.find('c');
  FakeSocket.signalling.say({ type: 'candidate', peer_id: 'p2', candidate: { candidate: 'x' } });
  assert.equal(FakeSocket.signalling.sentOf('candidate').at(-1).peer_id, 'p2');
  assert.deepEqual(FakeConnection.last.candidates, [{ candidate: 'x' }]);
  FakeConnection.last.become('connected');
  assert.equal(viewer.peer?.id, 'm1', 'not before it can be steered by');
  assert.equal(FakeSocket.media.readyState, 1);
  FakeConnection.last.channels.input.open();
  assert.equal(viewer.peer?.id, 'p2');
  assert.equal(viewer.shown.state, 'connected');
  assert.deepEqual([ways, channels.length, FakeSocket.media.readyState], [['webrtc'], 1, 3]);
  FakeSocket.signalling.say({ type: 'closed', peer_id: 'm1', reason: 'superseded' });
  await tick(clock, 40_000);
  assert.deepEqual([viewer.peer?.id, viewer.shown.state], ['p2', 'connected']);
});

test('the rendition that is chosen is told by whichever way the picture comes next', async () => {
  const { viewer, clock } = await watching();
  viewer.pin('0');
  await fallsBack(clock);
  await shows();
  const pinned = (/** @type {Uint8Array[]} */ frames) => frames.filter(([, type]) => type === 13).length;
  assert.equal(pinned(FakeSocket.media.frames), 1);
  await tick(clock, 30_500);
  FakeSocket.signalling.say(answer('p2'));
  await settle();
  FakeConnection.last.become('connected');
  FakeConnection.last.channels.input.open();
  assert.equal(pinned(FakeConnection.last.channels.input.sent), 1);
});

test('a trial that comes to nothing costs nothing, and the next one is later', async () => {
  const { viewer, clock } = await watching();
  await fallsBack(clock);
  await shows();
  await tick(clock, 30_500);
  const trial = FakeConnection.last;
  FakeSocket.signalling.say(answer('p2'));
  await settle();
  trial.become('failed');
  assert.equal(trial.connectionState, 'closed');
  FakeSocket.signalling.say({ type: 'closed', peer_id: 'p2', reason: 'ice_failed' });
  assert.deepEqual([viewer.peer?.id, viewer.shown.state], ['m1', 'connected']);
  await tick(clock, 59_000);
  assert.equal(FakeSocket.signalling.sentOf('offer').length, 2);
  await tick(clock, 2000);
  assert.equal(FakeSocket.signalling.sentOf('offer').length, 3);
  FakeSocket.signalling.say({ type: 'error', code: 'too_many_peers', message: '', retry_after: 2 });
  await settle();
  assert.deepEqual([viewer.peer?.id, viewer.shown.state], ['m1', 'connected'], 'no room for a trial');
});

test('a media socket that is lost is made anew, and one that is refused again and again leads back to WebRTC', async () => {
  const { viewer, clock } = await watching();
  await fallsBack(clock);
  await shows();
  const first = FakeSocket.media;
  first.drop();
  assert.equal(viewer.shown.state, 'reconnecting');
  await clock.advance(400);
  assert.notEqual(FakeSocket.media, first);
  const connections = FakeConnection.all.length;
  FakeSocket.media.drop();
  await clock.advance(1000);
  assert.equal(FakeConnection.all.length, connections + 1, 'it never opened');
});

test('what the host refuses the media socket for is said, and tried again when the host says', async () => {
  const { viewer, clock } = await watching('websocket');
  await settle();
  const problems = heard(viewer, 'problem');
  FakeSocket.media.accept();
  const first = FakeSocket.media;
  first.sayBytes(0x92, { code: 'too_many_peers', message: 'full', retry_after: 2 });
  first.drop();
  assert.deepEqual(problems, [{ code: 'too_many_peers', message: 'full' }]);
  assert.match(viewer.shown.detail, /As many viewers/);
  await clock.advance(1900);
  assert.equal(FakeSocket.media, first);
  await clock.advance(400);
  assert.notEqual(FakeSocket.media, first);
});

test('a host that says nothing for long is not reached this way any more', async () => {
  const { viewer, clock } = await watching('websocket');
  await shows();
  const first = FakeSocket.media;
  await clock.advance(4000);
  assert.equal(viewer.shown.code, 'silent');
  FakeSocket.signalling.say({ type: 'pong', t: 0 });
  await clock.advance(2500);
  assert.equal(first.readyState, 3);
  assert.notEqual(FakeSocket.media, first);
});

test('a page that nobody sees gives nothing up for being sent nothing', async () => {
  const { viewer, clock, seen } = await watching('websocket');
  await shows();
  const first = FakeSocket.media;
  seen.visible = false;
  await clock.advance(60_000);
  assert.deepEqual([FakeSocket.media, first.readyState], [first, 1]);
  seen.visible = true;
  await tick(clock, 5000);
  assert.deepEqual([viewer.peer?.id, viewer.shown.state], ['m1', 'connected']);
});

test('a socket for signalling that drops takes over what comes by the media socket', async () => {
  const { viewer, clock } = await watching('websocket');
  await shows();
  FakeSocket.signalling.drop();
  assert.equal(viewer.shown.state, 'connected');
  await clock.advance(300);
  FakeSocket.signalling.accept();
  FakeSocket.signalling.say({ type: 'welcome', session_id: 's', viewer_id: 'v', ice_servers: [] });
  assert.equal(FakeSocket.signalling.sentOf('watch')[0].peer_id, 'm1');
  FakeSocket.signalling.say(instance());
  FakeSocket.signalling.say({ type: 'resumed', peer_id: 'm1' });
  await clock.advance(1000);
  assert.deepEqual([viewer.peer?.id, viewer.shown.state], ['m1', 'connected']);
});

test('an instance that ends by the media socket is not asked for again, and nothing is tried beside it', async () => {
  const { viewer, clock } = await watching();
  await fallsBack(clock);
  await shows();
  FakeSocket.media.sayBytes(0x85, new TextEncoder().encode('app_exited'));
  assert.equal(viewer.shown.state, 'ended');
  FakeSocket.signalling.say(instance('TERMINATED', { reason: 'app_exited' }));
  const sockets = FakeSocket.all.length;
  await tick(clock, 40_000);
  assert.equal(FakeSocket.all.length, sockets);
  assert.equal(FakeSocket.signalling.sentOf('offer').length, 1);
});

test('a path that is lost while the host is heard by its socket is left for a WebSocket within seconds', async () => {
  const { viewer, clock } = await watching();
  await connect('p1');
  await clock.advance(6000);
  FakeConnection.last.channels.input.answers = false;
  await clock.advance(3000);
  assert.equal(viewer.shown.code, 'silent');
  await clock.advance(2600);
  assert.equal(viewer.way, 'websocket');
  await shows();
  assert.equal(viewer.shown.state, 'connected');
});

test('a path that is lost is waited for where a VNC server is all that is left', async () => {
  const { viewer, clock } = link({ ...webCodecs(), VideoDecoder: undefined });
  await greet(instance(), ['webrtc', 'vnc']);
  await connect('p1');
  await clock.advance(6000);
  FakeConnection.last.channels.input.answers = false;
  await clock.advance(3000);
  assert.equal(viewer.shown.code, 'silent');
  await clock.advance(2600);
  assert.equal(viewer.way, 'webrtc');
});

test('a host that is heard by nothing is waited for', async () => {
  const { viewer, clock } = await watching();
  await connect('p1');
  await clock.advance(6000);
  FakeConnection.last.channels.input.answers = FakeSocket.answers = false;
  await clock.advance(8000);
  assert.equal(viewer.way, 'webrtc');
  assert.equal(FakeSocket.media, undefined);
});

test('a connection that works is not left for a WebSocket', async () => {
  const { viewer, clock } = await watching();
  await connect('p1');
  await tick(clock, 60_000);
  assert.equal(viewer.way, 'webrtc');
  assert.equal(FakeSocket.media, undefined);
});

/** Time passes while the host answers on both sockets. @param {ReturnType<typeof link>['clock']} clock @param {number} ms */
async function tick(clock, ms) {
  const answering = FakeSocket.media;
  for (let passed = 0; passed < ms; passed += 500) {
    await clock.advance(Math.min(500, ms - passed));
    if (FakeSocket.signalling.readyState === 1) FakeSocket.signalling.say({ type: 'pong', t: 0 });
    if (answering?.readyState === 1) answering.sayBytes(0x81, new Uint8Array(16));
  }
}
