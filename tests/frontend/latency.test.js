import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FrameWatch, shownFrame } from '../../static/viewer/frame-watch.js';
import { decodeHost, encode, isPress } from '../../static/viewer/frames.js';
import { frameTime, HostClock } from '../../static/viewer/host-clock.js';
import { Photons } from '../../static/viewer/photons.js';
import { Samples } from '../../static/viewer/samples.js';
// Loaded by the page when it may be needed; here it is there at once.
import '../../static/viewer/media-peer.js';
import { FakeConnection, FakeDecoder, FakeSocket, settle, webCodecs } from './support.js';
import { connect, greet, link } from './talk.js';

/** @param {HostClock} clock @param {number} sent ms @param {number} host ms @param {number} now ms */
const note = (clock, sent, host, now) =>
  clock.note(BigInt(Math.round(sent * 1000)), BigInt(Math.round(host * 1000)), now);

test('the offset of the host is told by the answer that was quickest, whatever the others were', () => {
  const clock = new HostClock();
  assert.equal(clock.offset, null);
  // The host is 1 s ahead; these were 10 ms under way, 400 ms one way only, and 6 ms.
  for (const [sent, host, now, offset] of [
    [100, 1105, 110, 1000],
    [200, 1200, 600, 1000],
    [700, 1704, 706, 1001],
  ]) {
    note(clock, sent, host, now);
    assert.equal(clock.offset, offset);
  }
  for (let i = 0; i < 8; i += 1) note(clock, 1000 + i * 1000, 2010 + i * 1000, 1020 + i * 1000);
  assert.equal(clock.offset, 1000, 'a quick answer does not count for ever: clocks drift');
});

test('a clock that has jumped is followed at once, and what cannot be is no answer', () => {
  const clock = new HostClock();
  note(clock, 100, 1101, 102);
  // This machine has slept for an hour, and its clock with it.
  note(clock, 200, 3_601_205, 210);
  assert.equal(clock.offset, 3_601_000);
  for (const [sent, now] of [
    [500, 400],
    [0, 70_000],
    [Number.MAX_SAFE_INTEGER / 1000, 5],
  ])
    note(clock, sent, 0, now);
  assert.equal(clock.offset, 3_601_000);
  clock.reset();
  assert.equal(clock.offset, null);
});

test('the time of a frame is read from its RTP time, however often that has gone round', () => {
  for (const us of [
    0, 1_000_000, 47_721_858_844, 47_721_858_845, 90_000_000_000_000, 2_000_000_000_000_000,
  ]) {
    for (const offset of [0, 1, 0x80000000, 0xffffffff]) {
      const rtp = Number((BigInt(offset) + (BigInt(us) * 9n) / 100n) & 0xffffffffn);
      // The host's clock is known far better than the 13 h in which RTP time goes round.
      for (const error of [-3_600_000_000, 0, 3_600_000_000]) {
        const found = frameTime(rtp, offset, us + error);
        assert.ok(found <= us && us - found < 12, `${us} ${offset} ${error}: ${found}`);
      }
    }
  }
});

test('figures are the median and the 95th percentile of the last minute, of what can be true', () => {
  const samples = new Samples();
  assert.equal(samples.figures(0), null);
  for (const lie of [Number.NaN, -1, Number.POSITIVE_INFINITY, 1e9]) samples.add(lie, 0);
  assert.equal(samples.figures(0), null);
  for (const [values, p50_ms, p95_ms] of /** @type {[number[], number, number][]} */ ([
    [[7.04], 7, 7],
    [[30, 10], 10, 30],
    [[30, 10, 20], 20, 30],
    [Array.from({ length: 100 }, (_, i) => 100 - i), 50, 95],
  ])) {
    const some = new Samples();
    for (const value of values) some.add(value, 5);
    assert.deepEqual(some.figures(6), { p50_ms, p95_ms, samples: values.length });
  }
  samples.add(10, 1000);
  samples.add(20, 50_000);
  assert.equal(samples.figures(60_999)?.samples, 2);
  assert.deepEqual(samples.figures(61_000), { p50_ms: 20, p95_ms: 20, samples: 1 });
  assert.equal(samples.figures(40_000), null, 'what came later is not of then');
  assert.equal(samples.figures(61_000)?.samples, 1, 'and is not lost');
  for (let i = 0; i < 5000; i += 1) samples.add(i, 0);
  assert.equal(samples.figures(0)?.samples, 1200);
});

/** A frame that was grabbed at `ms` of a host whose clock is the page's. @param {number} ms @param {number} presented */
const frame = (ms, presented) => ({
  ptsUs: ms * 1000,
  received: presented - 4,
  submitted: presented - 2,
  presented,
});
/** @param {number} seq @param {number} ms */
const told = (seq, ms) => ({
  seq,
  ptsUs: ms * 1000,
  timesUs: [1, 2, 3, 4, 5, 6, 7, 8].map(i => (ms + i) * 1000),
});

test('a press is answered by the first frame that the host names, or one after it, whichever is known first', () => {
  const photons = new Photons();
  photons.pressed(1, 100);
  assert.equal(photons.waits(101), true);
  photons.shown(frame(90, 110), 0, 110);
  photons.shown(frame(115, 131), 0, 131);
  photons.told(told(1, 115), 0, 140);
  assert.deepEqual(photons.figures(150).click, { p50_ms: 31, p95_ms: 31, samples: 1 });
  assert.deepEqual(photons.figures(150).glass, { p50_ms: 16, p95_ms: 20, samples: 2 });
  assert.equal(photons.waits(150), false);
  // The frame itself was left out: what was seen next shows it as well.
  photons.pressed(2, 200);
  photons.told(told(2, 215), 0, 220);
  assert.equal(photons.figures(221).click?.samples, 1);
  photons.shown(frame(230, 247), 0, 247);
  assert.deepEqual(photons.figures(250).click, { p50_ms: 31, p95_ms: 47, samples: 2 });
  const [first] = photons.answers;
  assert.deepEqual(
    [first.sent, first.heard, first.begun, first.handed, first.received, first.presented],
    [100, 116, 115, 123, 127, 131],
  );
});

test('what was never pressed, is answered late, or by another connection, is no answer', () => {
  const photons = new Photons();
  photons.told(told(9, 50), 0, 60);
  photons.shown(frame(60, 70), 0, 70);
  photons.pressed(1, 100);
  // A frame that was seen before the press shows nothing of it, whatever the host says.
  photons.told(told(1, 50), 0, 110);
  assert.equal(photons.figures(120).click, null);
  assert.equal(photons.waits(6100), false, 'nothing is waited for for long');
  photons.pressed(2, 7000);
  photons.forget();
  photons.told(told(2, 7005), 0, 7010);
  photons.shown(frame(7005, 7020), 0, 7020);
  assert.equal(photons.figures(7030).click, null);
  for (let seq = 0; seq < 1000; seq += 1) photons.pressed(seq, 8000);
  assert.equal(photons.waits(8001), true);
  assert.equal(photons.waits(7999), false, 'a clock that went back');
});

test('without the host’s clock clicks are measured all the same, and ages not', () => {
  const photons = new Photons();
  photons.pressed(1, 100);
  photons.told(told(1, 115), null, 120);
  photons.shown(frame(115, 131), null, 131);
  const { click, glass } = photons.figures(140);
  assert.deepEqual([click?.p50_ms, glass, photons.answers.length], [31, null, 0]);
});

test('a frame that is seen a little before its grab is new, and one long before it is of a clock that is wrong', () => {
  const photons = new Photons();
  photons.shown(frame(100, 95), 0, 95);
  assert.equal(photons.figures(96).glass?.p50_ms, 0);
  photons.shown(frame(100, 50), 0, 96);
  assert.equal(photons.figures(97).glass?.samples, 1);
});

test('a frame is seen with that of the page, unless the page was busy, and one without RTP time is none that is known', () => {
  const metadata = { presentationTime: 500, receiveTime: 490, rtpTimestamp: 90 * 480 };
  for (const [at, presented] of [
    [500, 500],
    [508, 508],
    [499, 500],
    [560, 500],
    [Number.NaN, 500],
  ])
    assert.equal(shownFrame(metadata, at, 0, 0, 500)?.presented, presented, String(at));
  assert.equal(shownFrame(metadata, 500, 0, 0, 500)?.ptsUs, 480_000);
  assert.equal(shownFrame({ ...metadata, rtpTimestamp: undefined }, 500, 0, 0, 500), null);
  assert.equal(shownFrame(metadata, 500, null, 0, 500), null);
  assert.equal(shownFrame(metadata, 500, 0, null, 500), null);
});

test('a video is looked at now and then, and at each frame while a press waits', async () => {
  let waits = false;
  let seen = 0;
  /** @type {((now: number, metadata: object) => void)[]} */
  let asked = [];
  const video = /** @type {any} */ ({
    requestVideoFrameCallback: (/** @type {any} */ run) => asked.push(run),
    cancelVideoFrameCallback: () => {
      asked = [];
    },
  });
  /** @type {(() => void)[]} */
  let timers = [];
  const before = globalThis.window;
  Object.assign(globalThis, { window: { setTimeout: (/** @type {() => void} */ run) => timers.push(run) } });
  try {
    const watch = new FrameWatch(
      video,
      () => (seen += 1),
      () => waits,
    );
    watch.start();
    const show = () => {
      for (const run of asked.splice(0)) run(0, {});
    };
    show();
    assert.deepEqual([seen, asked.length, timers.length], [1, 0, 1], 'not again before a while');
    waits = true;
    watch.poke();
    for (let i = 0; i < 5; i += 1) show();
    assert.equal(seen, 6);
    watch.poke();
    assert.equal(asked.length, 1, 'asked once');
    watch.stop();
    timers = [];
    assert.equal(asked.length, 0);
    new FrameWatch(
      /** @type {any} */ ({}),
      () => {},
      () => true,
    ).start();
  } finally {
    Object.assign(globalThis, { window: before });
  }
});

test('presses are buttons and keys that go down, modifiers apart, and text', () => {
  const key = (/** @type {number} */ usage, pressed = true) =>
    /** @type {const} */ ({ type: 'key', pressed, usage, keysym: 0 });
  const button = (/** @type {boolean} */ pressed) =>
    /** @type {const} */ ({ type: 'button', number: 0, pressed, x: 0, y: 0 });
  for (const event of [
    key(4),
    key(0xdf),
    key(0xe8),
    button(true),
    /** @type {const} */ ({ type: 'text', text: 'a' }),
  ])
    assert.equal(isPress(event), true, JSON.stringify(event));
  for (const event of [
    key(4, false),
    key(0xe0),
    key(0xe7),
    button(false),
    /** @type {const} */ ({ type: 'hidden' }),
  ])
    assert.equal(isPress(event), false, JSON.stringify(event));
});

test('a report holds what fits, and nothing where there is nothing', () => {
  const figures = (/** @type {number} */ p50_ms, /** @type {number} */ p95_ms, samples = 3) => ({
    p50_ms,
    p95_ms,
    samples,
  });
  const body = (/** @type {any} */ click, /** @type {any} */ glass) => [
    ...new Uint16Array(encode({ type: 'latency', click, glass }, 1, 2).slice(10).buffer),
  ];
  assert.deepEqual(body(null, null), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(body(figures(18.1, 31), null), [181, 310, 3, 0, 0, 0]);
  assert.deepEqual(body(null, figures(9000, 60_000, 1e6)), [0, 0, 0, 65535, 65535, 65535]);
});

test('what the host says of a press is read as it is written, and not where it is cut short', () => {
  const bytes = new Uint8Array(78);
  const view = new DataView(bytes.buffer);
  bytes.set([1, 0x84]);
  view.setUint32(2, 7, true);
  for (let i = 0; i < 9; i += 1) view.setBigUint64(6 + 8 * i, BigInt(100 + i), true);
  assert.deepEqual(decodeHost(bytes.buffer), {
    type: 'shown',
    told: { seq: 7, ptsUs: 100, timesUs: [101, 102, 103, 104, 105, 106, 107, 108] },
  });
  assert.equal(decodeHost(bytes.slice(0, 77).buffer), null);
  assert.deepEqual(decodeHost(new Uint8Array([1, 0x86, 2, 1, 0, 0]).buffer), { type: 'rtp', offset: 258 });
  assert.equal(decodeHost(new Uint8Array([1, 0x86, 2]).buffer), null);
});

/** The host's word of a press. @param {number} seq @param {number} ptsUs */
function shownBytes(seq, ptsUs) {
  const bytes = new Uint8Array(76);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, seq, true);
  for (let i = 0; i < 9; i += 1) view.setBigUint64(4 + 8 * i, BigInt(ptsUs), true);
  return bytes;
}

const CLICK = /** @type {const} */ ({ type: 'button', number: 0, pressed: true, x: 1, y: 1 });

test('by WebRTC a click is measured to the video’s frame, and told the host', async () => {
  const { viewer, clock } = link();
  await greet();
  await connect('p1');
  const { input } = FakeConnection.last.channels;
  input.onmessage?.({ data: new Uint8Array([1, 0x86, 5, 0, 0, 0]).buffer });
  await clock.advance(1);
  assert.equal(viewer.peer?.kind === 'webrtc' && viewer.peer.rtpOffset, 5);
  viewer.send(CLICK);
  const seq = /** @type {Uint8Array} */ (input.sent.at(-1))[2];
  // This host's clock stands at 0.
  await clock.advance(33);
  input.onmessage?.({ data: new Uint8Array([1, 0x84, ...shownBytes(seq, 0)]).buffer });
  viewer.shows({ presentationTime: clock.now, rtpTimestamp: 5 }, clock.now);
  assert.equal(viewer.photons.figures(clock.now).click?.p50_ms, 33);
  assert.equal(viewer.photons.figures(clock.now).glass?.samples, 1);
  await clock.advance(4000);
  const reports = input.sent.filter(frame => frame[1] === 12);
  assert.equal(reports.length, 1, 'not with every ping');
  assert.deepEqual([...reports[0].slice(10, 16)], [330 & 255, 330 >> 8, 330 & 255, 330 >> 8, 1, 0]);
});

test('by a WebSocket a click is measured to the page’s frame in which the picture is drawn', async () => {
  const { viewer, clock } = link(webCodecs(), 'websocket');
  await greet();
  await settle();
  const socket = FakeSocket.media;
  socket.accept();
  socket.sayBytes(0x90, { peer_id: 'm1', codec: 'vp8' });
  await clock.advance(1);
  viewer.send(CLICK);
  const seq = /** @type {Uint8Array} */ (socket.frames.at(-1))[2];
  await clock.advance(20);
  // 256 µs of the host's time.
  socket.sayBytes(0x91, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7]));
  socket.sayBytes(0x84, shownBytes(seq, 256));
  FakeDecoder.last.work();
  assert.equal(viewer.photons.figures(clock.now).click, null, 'it is drawn, and not seen');
  await clock.advance(50);
  assert.equal(viewer.photons.figures(clock.now).click?.p50_ms, 28);
});

test('a spectator presses nothing, and tells the host what it sees', async () => {
  const { viewer, clock } = link();
  await greet();
  await connect('p1');
  const { input } = FakeConnection.last.channels;
  FakeSocket.last.say({ type: 'control', holder: 'x', role: 'spectator' });
  input.onmessage?.({ data: new Uint8Array([1, 0x86, 0, 0, 0, 0]).buffer });
  await clock.advance(1);
  viewer.send(CLICK);
  assert.equal(viewer.photons.waits(clock.now), false);
  viewer.shows({ presentationTime: clock.now, rtpTimestamp: 0 }, clock.now);
  await clock.advance(4000);
  const [report] = input.sent.filter(frame => frame[1] === 12);
  assert.deepEqual([...report.slice(10, 16)], [0, 0, 0, 0, 0, 0]);
  assert.equal(report[20], 1);
});
