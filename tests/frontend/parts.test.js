import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenIn, tokenOf } from '../../static/home/entry.js';
import { Backoff } from '../../static/lib/backoff.js';
import { age, countdown, plural } from '../../static/lib/format.js';
import { FrameClock } from '../../static/viewer/frame-clock.js';
import { Latency } from '../../static/viewer/latency.js';
import { parse, takesPeers } from '../../static/viewer/protocol.js';
import { digest, rows } from '../../static/viewer/stats.js';

test('delays double from the first to the limit and stay there', () => {
  const backoff = new Backoff({ random: () => 0 });
  assert.deepEqual(
    Array.from({ length: 7 }, () => backoff.next()),
    [300, 600, 1200, 2400, 4800, 5000, 5000],
  );
  backoff.reset();
  assert.equal(backoff.next(), 300);
});

test('jitter takes at most half and never goes below the first', () => {
  const backoff = new Backoff({ random: () => 0.999 });
  for (let i = 0; i < 1000; i++) {
    const full = Math.min(5000, 300 * 2 ** Math.min(i, 20));
    const delay = backoff.next();
    assert.ok(delay >= 300 && delay >= full / 2 && delay <= full, `${i}: ${delay}`);
  }
});

test('latency is the median of the last five and forgets when told', () => {
  const latency = new Latency();
  assert.equal(latency.value, null);
  for (const trip of [5, 5, 100, 5, 6]) latency.pong(latency.ping(1000), 1000 + trip);
  assert.equal(latency.value, 5);
  for (let i = 0; i < 5; i++) latency.pong(latency.ping(2000), 2012.34);
  assert.equal(latency.value, 12.3);
  latency.pong(99999999999n, 5);
  assert.equal(latency.value, 12.3);
  latency.reset();
  assert.equal(latency.value, null);
});

test('the frame clock runs while the user is active, and only once', () => {
  /** @type {((now: number) => void)[]} */
  const frames = [];
  let now = 0;
  const clock = new FrameClock(
    run => frames.push(run),
    () => now,
  );
  clock.poke();
  clock.poke();
  assert.equal(frames.length, 1);
  now = 900;
  frames.shift()?.(now);
  assert.equal(frames.length, 1);
  now = 1100;
  frames.shift()?.(now);
  assert.equal(frames.length, 0);
  assert.equal(clock.running, false);
});

/** @param {object} more */
const report = more => [
  { type: 'inbound-rtp', kind: 'video', codecId: 'c', frameWidth: 1280, frameHeight: 720, ...more },
  { type: 'codec', id: 'c', mimeType: 'video/H264' },
  { type: 'transport', selectedCandidatePairId: 'p' },
  { type: 'candidate-pair', id: 'x', nominated: true, state: 'succeeded', currentRoundTripTime: 9 },
  { type: 'candidate-pair', id: 'p', currentRoundTripTime: 0.0123, remoteCandidateId: 'r' },
  { type: 'remote-candidate', id: 'r', candidateType: 'host', protocol: 'udp' },
];

test('statistics are rates between two reports', () => {
  const first = digest(
    report({ bytesReceived: 1000, framesDecoded: 10, packetsReceived: 100, packetsLost: 0 }),
    null,
    1000,
  );
  assert.ok(first);
  assert.equal(first.digest.fps, 0);
  const second = digest(
    report({
      bytesReceived: 126000,
      framesDecoded: 70,
      packetsReceived: 199,
      packetsLost: 1,
      totalDecodeTime: 0.12,
      jitterBufferDelay: 0.3,
      jitterBufferEmittedCount: 60,
    }),
    first.totals,
    2000,
  );
  assert.deepEqual(second?.digest, {
    way: 'webrtc',
    fps: 60,
    kbps: 1000,
    width: 1280,
    height: 720,
    codec: 'H264',
    rtt_ms: 12.3,
    click: null,
    glass: null,
    loss_percent: 1,
    jitter_buffer_ms: 5,
    decode_ms: 2,
    frames: 70,
    dropped: 0,
    freezes: 0,
    candidate: 'host/udp',
  });
  const text = Object.fromEntries(rows(/** @type {any} */ (second).digest, 4.2));
  assert.equal(text.Picture, '1280×720');
  assert.equal(text.Bitrate, '1 Mbit/s');
  assert.equal(text['Round trip (data)'], '4.2 ms');
  assert.equal(text['Click to photon'], '–');
  const glass = { p50_ms: 18.1, p95_ms: 31, samples: 9 };
  const more = Object.fromEntries(rows({ .../** @type {any} */ (second).digest, glass }, null));
  assert.equal(more['Glass to glass'], '18.1 ms · 95 %: 31 ms');
});

test('totals of another connection make no negative rates', () => {
  const before = digest(report({ bytesReceived: 9e6, framesDecoded: 900 }), null, 1000)?.totals ?? null;
  const now = digest(report({ bytesReceived: 10, framesDecoded: 1 }), before, 2000);
  assert.deepEqual([now?.digest.fps, now?.digest.kbps, now?.digest.decode_ms], [0, 0, null]);
});

test('without a video stream there is no digest', () => {
  assert.equal(digest([{ type: 'transport' }], null, 0), null);
});

test('times are said coarsely', () => {
  assert.deepEqual([0, 59000, 61000, 7200000, 2e8].map(age), ['just now', '59 s', '1 min', '2 h', '2 d']);
  assert.equal(age(-5000), 'just now');
  assert.deepEqual([0, 6100, 1799000, 3600000].map(countdown), ['0:00', '0:07', '29:59', '1:00:00']);
  assert.deepEqual([plural(1, 'viewer'), plural(2, 'viewer')], ['1 viewer', '2 viewers']);
});

test('a token is found in a fragment, an address or alone', () => {
  assert.equal(tokenOf({ hash: '#token=a%2Bb' }), 'a+b');
  assert.equal(tokenOf({ hash: '' }), null);
  assert.equal(tokenIn(' http://127.0.0.1:8080/#token=abc '.trim()), 'abc');
  assert.equal(tokenIn('  abc '), 'abc');
});

test('only messages with a type are messages', () => {
  for (const bad of ['', 'x', '[]', '1', 'null', '{}', '{"type":1}', new ArrayBuffer(2)])
    assert.equal(parse(bad), null);
  assert.deepEqual(parse('{"type":"pong","t":1}'), { type: 'pong', t: 1 });
  assert.deepEqual(
    ['RUNNING', 'RESTARTING', 'INITIALIZING', 'FAILED', 'TERMINATED', undefined].map(s =>
      takesPeers(/** @type {any} */ (s)),
    ),
    [true, true, true, false, false, false],
  );
});
