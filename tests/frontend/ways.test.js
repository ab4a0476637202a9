import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  both,
  EVENTS,
  FALL_BACK_MS,
  FIRST_TRIAL_MS,
  LAST_TRIAL_MS,
  SOON_MS,
  trialAfter,
  turn,
  ways,
} from '../../static/viewer/ways.js';

/** @typedef {import('../../static/viewer/ways.js').Event} Event */
/** @typedef {import('../../static/viewer/ways.js').Ways} Ways */
/** @typedef {import('../../static/viewer/ways.js').Wish} Wish */

const BOTH = { webrtc: true, websocket: true, vnc: false };
const ALL = { webrtc: true, websocket: true, vnc: true };
const NOW = 1000;

/** Where events lead, and what they have done. @param {Ways} from @param {(Event | [Event, number])[]} events */
function after(from, ...events) {
  let now = from;
  const effects = [];
  let at = NOW;
  for (const event of events) {
    const [name, pause] = typeof event === 'string' ? [event, 0] : event;
    at += pause;
    const next = turn(now, name, at);
    now = next.ways;
    if (next.effect) effects.push(next.effect);
  }
  return { ways: now, effects };
}

const auto = () => ways('auto', BOTH);
/** WebRTC has found no path, and the picture comes by a WebSocket. */
const fallen = () => after(auto(), 'begun', 'pathless', 'begun', 'connected').ways;

test('WebRTC is first, and left for a WebSocket when it is not connected in time or finds no path', () => {
  const begun = after(auto(), 'begun').ways;
  assert.deepEqual([begun.way, begun.until], ['webrtc', NOW + FALL_BACK_MS]);
  assert.deepEqual(after(begun, ['tick', FALL_BACK_MS - 1]).effects, []);
  const late = after(begun, ['tick', FALL_BACK_MS]);
  assert.deepEqual(late.effects, ['fall']);
  assert.equal(after(late.ways, 'pathless').ways.way, 'websocket');
  assert.equal(after(begun, 'pathless').ways.way, 'websocket');
  assert.equal(
    after(begun, 'gone').ways.way,
    'webrtc',
    'what has nothing to do with the path changes nothing',
  );
});

test('where WebRTC found no path the last time a WebSocket is first, and WebRTC tried when the picture is there', () => {
  const known = ways('auto', ALL, true);
  assert.equal(known.way, 'websocket');
  const up = after(known, 'begun', 'connected').ways;
  assert.equal(up.until, NOW + SOON_MS);
  const tried = after(up, ['tick', SOON_MS]);
  assert.deepEqual([tried.effects, tried.ways.way, tried.ways.up], [['try'], 'websocket', true]);
  assert.equal(after(tried.ways, 'changed').ways.way, 'webrtc');
  const again = after(tried.ways, 'tried').ways;
  assert.equal(again.until, NOW + FIRST_TRIAL_MS, 'from then on as seldom as ever');
  assert.equal(after(known, 'begun', 'pathless').ways.way, 'webrtc');
  assert.equal(after(known, 'no_websocket').ways.way, 'webrtc', 'which nobody has tried yet');
  assert.equal(after(known, 'no_webrtc', 'no_websocket').ways.way, 'vnc');
  assert.equal(ways('auto', { ...ALL, websocket: false }, true).way, 'webrtc');
  for (const wish of /** @type {const} */ (['webrtc', 'vnc'])) assert.equal(ways(wish, ALL, true).way, wish);
});

test('what worked is made anew in the same way before another one is tried', () => {
  const lost = after(auto(), 'begun', 'connected', 'pathless').ways;
  assert.equal(lost.way, 'webrtc');
  assert.equal(after(lost, 'begun', 'pathless').ways.way, 'websocket');
  const socket = after(fallen(), 'pathless').ways;
  assert.equal(socket.way, 'websocket');
  assert.equal(after(socket, 'begun', 'pathless').ways.way, 'webrtc');
});

test('a path that is lost alone is left at once', () => {
  assert.equal(after(auto(), 'begun', 'connected', 'blocked').ways.way, 'websocket');
  assert.equal(after(ways('webrtc', BOTH), 'begun', 'connected', 'blocked').ways.way, 'webrtc');
});

test('while the WebSocket works WebRTC is tried again, ever more seldom, and takes over when it connects', () => {
  let now = fallen();
  assert.equal(now.until, NOW + FIRST_TRIAL_MS);
  for (const wait of [30, 60, 120, 240, 480, 600, 600]) {
    /** @type {number} */
    const due = now.until ?? 0;
    assert.equal(trialAfter(now.failures), wait * 1000);
    assert.equal(turn(now, 'tick', due - 1).effect, null);
    const tried = turn(now, 'tick', due);
    assert.equal(tried.effect, 'try');
    assert.ok(tried.ways.up && tried.ways.way === 'websocket', 'the picture goes on');
    now = turn(tried.ways, 'tried', due + 5000).ways;
    assert.equal(now.until, due + 5000 + Math.min(LAST_TRIAL_MS, wait * 2000));
  }
  const changed = after({ ...now, trying: true }, 'changed').ways;
  assert.deepEqual([changed.way, changed.up, changed.until, changed.failures], ['webrtc', true, null, 0]);
});

test('another network is a reason to try at once', () => {
  assert.deepEqual(after(fallen(), 'network').effects, ['try']);
  assert.deepEqual(after(fallen(), 'network', 'network').effects, ['try'], 'one at a time');
  const looking = after(auto(), 'begun', 'pathless', 'begun').ways;
  assert.equal(after(looking, 'network').ways.way, 'webrtc');
  assert.deepEqual(after(auto(), 'begun', 'connected', 'network').effects, []);
});

test('who wants one way is never given the other', () => {
  for (const wish of /** @type {const} */ (['webrtc', 'websocket', 'vnc'])) {
    for (const { now } of reachable(ways(wish, ALL))) assert.equal(now.way, wish);
  }
});

test('what the browser cannot is not tried', () => {
  const alone = ways('auto', { webrtc: true, websocket: false, vnc: false });
  for (const { now } of reachable(alone)) assert.equal(now.way, 'webrtc');
  assert.equal(ways('auto', { ...ALL, webrtc: false }).way, 'websocket');
  assert.equal(after(auto(), 'begun', 'pathless', 'no_websocket').ways.way, 'webrtc');
});

test('a browser that can decode nothing gets what a VNC server sends, and goes up from there as from a WebSocket', () => {
  assert.equal(ways('auto', { webrtc: false, websocket: false, vnc: true }).way, 'vnc');
  assert.equal(after(ways('auto', ALL), 'begun', 'pathless').ways.way, 'websocket', 'who can decodes');
  const blind = ways('auto', { ...ALL, websocket: false });
  assert.equal(after(blind, 'begun', 'connected', 'blocked').ways.way, 'vnc');
  const fallen = after(blind, 'begun', 'pathless', 'begun', 'connected').ways;
  assert.deepEqual([fallen.way, fallen.until], ['vnc', NOW + FIRST_TRIAL_MS]);
  const tried = after(fallen, ['tick', FIRST_TRIAL_MS]);
  assert.deepEqual([tried.effects, tried.ways.way, tried.ways.up], [['try'], 'vnc', true]);
  assert.equal(after(tried.ways, 'changed').ways.way, 'webrtc');
});

test('of a way that turns out not to be possible the next is tried, and one that works goes on', () => {
  const decoding = after(ways('auto', ALL), 'begun', 'pathless', 'begun').ways;
  assert.equal(after(decoding, 'no_websocket').ways.way, 'vnc');
  assert.equal(after(decoding, 'no_websocket', 'no_vnc').ways.way, 'webrtc');
  assert.equal(after(ways('auto', ALL), 'no_webrtc').ways.way, 'websocket');
  assert.equal(after(ways('auto', ALL), 'no_webrtc', 'no_websocket').ways.way, 'vnc');
  const up = after(decoding, 'connected', 'no_vnc').ways;
  assert.ok(up.up && up.until !== null, 'it is still tried to get away from');
  const alone = after(decoding, 'connected', 'no_webrtc').ways;
  assert.ok(alone.up && alone.until === null, 'there is nowhere to go');
});

/** Every state that some events lead to. @param {Ways} from */
function reachable(from) {
  /** @type {Map<string, {now: Ways, at: number, effect: string | null}>} */
  const known = new Map();
  /** @type {{now: Ways, at: number, effect: string | null}[]} */
  const waiting = [{ now: from, at: NOW, effect: null }];
  for (let here = waiting.pop(); here; here = waiting.pop()) {
    const { now, at } = here;
    const rest = now.until === null ? null : Math.max(-1, now.until - at);
    const key = JSON.stringify({
      ...now,
      failures: Math.min(now.failures, 8),
      until: rest,
      effect: here.effect,
    });
    if (known.has(key)) continue;
    known.set(key, here);
    for (const event of EVENTS) {
      for (const pause of [0, FALL_BACK_MS, LAST_TRIAL_MS]) {
        const next = turn(now, event, at + pause);
        waiting.push({ now: next.ways, at: at + pause, effect: next.effect });
      }
    }
  }
  return [...known.values()];
}

test('wherever events lead, nothing is tried without need and nobody waits for ever', () => {
  const known = ways('auto', ALL, true);
  for (const { now, at, effect } of [auto(), ways('auto', ALL), known].flatMap(reachable)) {
    const state = JSON.stringify(now);
    if (effect === 'try') assert.ok(now.way !== 'webrtc' && now.up && now.trying, state);
    if (effect === 'fall') assert.ok(now.way === 'webrtc' && !now.up, state);
    if (now.way !== 'webrtc' && now.up && both(now))
      assert.ok(now.trying || now.until !== null, `WebRTC is never tried again: ${state}`);
    if (now.way === 'webrtc' && now.up) assert.equal(now.until, null, state);
    assert.ok(!now.trying || (now.up && now.way !== 'webrtc'), state);
    if (now.can.webrtc || now.can.websocket || now.can.vnc)
      assert.ok(now.can[now.way], `it is not possible: ${state}`);
    assert.ok(now.until === null || now.until - at <= LAST_TRIAL_MS, state);
  }
});
