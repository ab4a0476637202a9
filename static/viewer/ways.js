/**
 * By which way the picture comes: WebRTC, or a WebSocket where that finds no path. Pure.
 *
 * ```text
 *       not connected within 4 s, no path; lost alone
 *   webrtc ──────────────────────────────────────────────► websocket ──30 s, 60 s … 10 min; another network──► trial
 *      ▲                                                      │  ▲                                              │  │
 *      ├──────────────── never connected, not possible ───────┘  └──────────────── no path ─────────────────────┘  │
 *      └──────────────────────────────────────────── connected ────────────────────────────────────────────────────┘
 * ```
 *
 * During the trial the WebSocket goes on. Which ways there are: `wish` is the page's, `can` the browser's.
 */

/** WebRTC that is not connected after this time is left for a WebSocket. */
export const FALL_BACK_MS = 4000;
/** WebRTC is tried again after this time, then after twice as long each time… */
export const FIRST_TRIAL_MS = 30_000;
/** …and no more seldom than this. */
export const LAST_TRIAL_MS = 600_000;

/** @typedef {'webrtc'|'websocket'} Way */
/** @typedef {'auto'|Way} Wish */

/**
 * @typedef {object} Ways
 * @property {Wish} wish
 * @property {Readonly<Record<Way, boolean>>} can
 * @property {Way} way the one in use, or tried next
 * @property {boolean} up whether it is connected
 * @property {boolean} trying whether WebRTC is tried beside a WebSocket
 * @property {number} failures of WebRTC in a row
 * @property {number | null} until when something is due
 */

/**
 * What happened. `begun`: a path is looked for. `connected`: it works. `pathless`: it has no path, or lost it. `blocked`: it
 * lost it while the host is heard by its socket. `gone`: its
 * connection is gone for another reason. `tried`: the trial came to nothing; `changed`: it took over. `network`: the machine has
 * other networks. `tick`: time passed. `no_websocket`: it turns out not to be possible.
 * @typedef {'begun'|'connected'|'pathless'|'blocked'|'gone'|'tried'|'changed'|'network'|'tick'|'no_websocket'} Event
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
  'no_websocket',
]);

/**
 * @param {Wish} wish @param {Record<Way, boolean>} can
 * @returns {Ways}
 */
export function ways(wish, can) {
  const way = wish === 'websocket' || (wish === 'auto' && !can.webrtc) ? 'websocket' : 'webrtc';
  return { wish, can, way, up: false, trying: false, failures: 0, until: null };
}

/** Whether there is a choice. @param {Ways} now */
export const both = ({ wish, can }) => wish === 'auto' && can.webrtc && can.websocket;

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
        until: webrtc && both(now) ? at + FALL_BACK_MS : null,
      });
    case 'connected':
      if (webrtc) return stay({ ...now, up: true, failures: 0, until: null });
      return stay({ ...now, up: true, until: both(now) ? at + trialAfter(now.failures) : null });
    case 'pathless':
      return stay(pathless(now));
    case 'blocked':
      if (!webrtc || !both(now)) return stay(pathless(now));
      return stay({ ...now, way: 'websocket', up: false, failures: now.failures + 1, until: null });
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
    case 'no_websocket': {
      const can = { ...now.can, websocket: false };
      const way = now.wish === 'auto' && now.can.webrtc ? 'webrtc' : now.way;
      const up = now.up && way === now.way;
      return stay({ ...now, can, way, up, trying: false, until: null });
    }
  }
}

/** @param {Ways} now @returns {Ways} */
function pathless(now) {
  const next = { ...now, up: false, trying: false, until: null };
  // What worked is made anew first: it may be the host that was away.
  if (now.up) return next;
  const failures = now.way === 'webrtc' ? now.failures + 1 : now.failures;
  const other = now.way === 'webrtc' ? 'websocket' : 'webrtc';
  return { ...next, failures, way: both(now) ? other : now.way };
}

/** @param {Ways} now @param {number} at @returns {Ways} */
const later = (now, at) => ({ ...now, until: now.up ? at + trialAfter(now.failures) : null });

/** @param {Ways} now @returns {{ways: Ways, effect: Effect}} */
const attempt = now => ({ ways: { ...now, trying: true, until: null }, effect: 'try' });

/** @param {Ways} now @returns {{ways: Ways, effect: null}} */
const stay = now => ({ ways: now, effect: null });
