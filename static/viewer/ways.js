/**
 * By which way the picture comes: WebRTC, or a WebSocket where that finds no path. Pure.
 *
 * By the WebSocket come encoded frames, where the browser can decode them, and else what a VNC server sends. Of these two a page
 * has one, the *second* way: `websocket` in this picture.
 *
 * ```text
 *       not connected within 4 s, no path; lost alone
 *   webrtc ──────────────────────────────────────────────► websocket ──30 s, 60 s … 10 min; another network──► trial
 *      ▲                                                      │  ▲                                              │  │
 *      ├──────────────── never connected, not possible ───────┘  └──────────────── no path ─────────────────────┘  │
 *      └──────────────────────────────────────────── connected ────────────────────────────────────────────────────┘
 * ```
 *
 * During the trial the WebSocket goes on. A page that knows that WebRTC found no path the last time begins with the WebSocket, and
 * with a trial a second later. Which ways there are: `wish` is the page's, `can` the browser's.
 */

/** WebRTC that is not connected after this time is left for a WebSocket. */
export const FALL_BACK_MS = 4000;
/** WebRTC is tried again after this time, then after twice as long each time… */
export const FIRST_TRIAL_MS = 30_000;
/** …and no more seldom than this. */
export const LAST_TRIAL_MS = 600_000;
/** Where a page has begun with a WebSocket, for what it found the last time, WebRTC is tried after this time: first the picture. */
export const SOON_MS = 1000;

/** @typedef {'webrtc'|'websocket'|'vnc'} Way */
/** @typedef {'auto'|Way} Wish */

/**
 * @typedef {object} Ways
 * @property {Wish} wish
 * @property {Readonly<Record<Way, boolean>>} can
 * @property {Way} way the one in use, or tried next
 * @property {boolean} up whether it is connected
 * @property {boolean} trying whether WebRTC is tried beside the second way
 * @property {boolean} untried whether this page has yet to try WebRTC
 * @property {number} failures of WebRTC in a row
 * @property {number | null} until when something is due
 */

/**
 * What happened. `begun`: a path is looked for. `connected`: it works. `pathless`: it has no path, or lost it. `blocked`: it
 * lost it while the host is heard by its socket. `gone`: its
 * connection is gone for another reason. `tried`: the trial came to nothing; `changed`: it took over. `network`: the machine has
 * other networks. `tick`: time passed. `no_…`: this way turns out not to be possible.
 * @typedef {'begun'|'connected'|'pathless'|'blocked'|'gone'|'tried'|'changed'|'network'|'tick'
 *   |'no_webrtc'|'no_websocket'|'no_vnc'} Event
 */

/** What is to be done: give WebRTC up for now, or try it beside. @typedef {'fall'|'try'} Effect */

/** @type {readonly Event[]} */
export const EVENTS = Object.freeze([
  'begun',
  'connected',
  'pathless',
  'blocked',
  'gone',
  'tried',
  'changed',
  'network',
  'tick',
  'no_webrtc',
  'no_websocket',
  'no_vnc',
]);

/**
 * @param {Wish} wish @param {Record<Way, boolean>} can
 * @param {boolean} [blocked] whether WebRTC found no path the last time
 * @returns {Ways}
 */
export function ways(wish, can, blocked = false) {
  const untried = wish === 'auto' && blocked && can.webrtc && can.websocket;
  const best = untried ? 'websocket' : can.webrtc ? 'webrtc' : (second({ can }) ?? 'webrtc');
  const way = wish === 'auto' ? best : wish;
  return { wish, can, way, up: false, trying: false, untried, failures: 0, until: null };
}

/** The way for where WebRTC is not. @param {Pick<Ways, 'can'>} now @returns {'websocket' | 'vnc' | null} */
export const second = ({ can }) => (can.websocket ? 'websocket' : can.vnc ? 'vnc' : null);

/** Whether there is a choice. @param {Ways} now */
export const both = now => now.wish === 'auto' && now.can.webrtc && second(now) !== null;

/** @param {number} failures */
export const trialAfter = failures =>
  Math.min(LAST_TRIAL_MS, FIRST_TRIAL_MS * 2 ** Math.min(Math.max(0, failures - 1), 10));

/**
 * @param {Ways} now
 * @param {Event} event
 * @param {number} at milliseconds
 * @returns {{ways: Ways, effect: Effect | null}}
 */
export function turn(now, event, at) {
  const webrtc = now.way === 'webrtc';
  switch (event) {
    case 'begun':
      return stay({
        ...now,
        up: false,
        trying: false,
        untried: now.untried && !webrtc,
        until: webrtc && both(now) ? at + FALL_BACK_MS : null,
      });
    case 'connected':
      if (webrtc) return stay({ ...now, up: true, failures: 0, until: null });
      return stay(later({ ...now, up: true }, at));
    case 'pathless':
      return stay(pathless(now));
    case 'blocked':
      if (!webrtc || !both(now)) return stay(pathless(now));
      return stay({ ...now, way: other(now), up: false, failures: now.failures + 1, until: null });
    case 'gone':
      return stay({ ...now, up: false, trying: false, until: null });
    case 'tried':
      if (!now.trying) return stay(now);
      return stay(later({ ...now, trying: false, failures: now.failures + 1 }, at));
    case 'changed':
      if (!now.trying) return stay(now);
      return stay({ ...now, way: 'webrtc', up: true, trying: false, failures: 0, until: null });
    case 'network':
      if (webrtc || !both(now)) return stay(now);
      if (now.up) return now.trying ? stay(now) : attempt({ ...now, failures: 0 });
      return stay({ ...now, way: 'webrtc', failures: 0, until: null });
    case 'tick':
      if (now.until === null || at < now.until) return stay(now);
      if (!webrtc) return now.up && !now.trying ? attempt(now) : stay({ ...now, until: null });
      // What is given up is said to be without a path, which leads to the other way.
      return { ways: { ...now, until: null }, effect: now.up ? null : 'fall' };
    case 'no_webrtc':
      return stay(without(now, 'webrtc'));
    case 'no_websocket':
      return stay(without(now, 'websocket'));
    case 'no_vnc':
      return stay(without(now, 'vnc'));
  }
}

/** @param {Ways} now @returns {Ways} */
function pathless(now) {
  const next = { ...now, up: false, trying: false, until: null };
  // What worked is made anew first: it may be the host that was away.
  if (now.up) return next;
  const failures = now.way === 'webrtc' ? now.failures + 1 : now.failures;
  return { ...next, failures, way: both(now) ? other(now) : now.way };
}

/** Of two ways the one that is not used. @param {Ways} now @returns {Way} */
const other = now => (now.way === 'webrtc' ? (second(now) ?? now.way) : 'webrtc');

/** @param {Ways} now @param {Way} way @returns {Ways} */
function without(now, way) {
  const next = { ...now, can: { ...now.can, [way]: false } };
  const untried = next.untried && next.can.webrtc ? 'webrtc' : null;
  const left = untried ?? second(next) ?? (next.can.webrtc ? 'webrtc' : now.way);
  if (now.wish === 'auto' && now.way === way && left !== way)
    return { ...next, way: left, up: false, trying: false, until: null };
  return both(next) ? next : { ...next, trying: false, until: null };
}

/** @param {Ways} now @param {number} at @returns {Ways} */
function later(now, at) {
  const wait = now.untried ? SOON_MS : trialAfter(now.failures);
  return { ...now, until: now.up && both(now) ? at + wait : null };
}

/** @param {Ways} now @returns {{ways: Ways, effect: Effect}} */
const attempt = now => ({ ways: { ...now, trying: true, untried: false, until: null }, effect: 'try' });

/** @param {Ways} now @returns {{ways: Ways, effect: null}} */
const stay = now => ({ ways: now, effect: null });
