/**
 * What a viewer shows, from what its socket, its peer connection and the instance report. Pure.
 *
 * ```text
 *   idle ──start──► connecting ──peer──► connected ◄──► restarting      (the app: last picture stays, dimmed)
 *                       │                 │    ▲
 *                       │    lost, silent ▼    │ back
 *                       │              reconnecting
 *                       ├──► failed  (instance FAILED)          ─ Restart ─► connecting
 *                       ├──► ended   (instance TERMINATED)      ─ Launch again
 *                       └──► error   (unknown, not allowed, …)
 * ```
 *
 * Facts are gathered by `step`; `shown` derives the one state from them, so that the order in which socket, peer
 * and instance report does not matter.
 */

import { afterClose, closeWords } from './close-reasons.js';

/** @typedef {import('./protocol.js').InstanceMessage} InstanceMessage */
/** @typedef {'idle'|'connecting'|'connected'|'reconnecting'|'restarting'|'failed'|'ended'|'error'} ViewerState */
/** @typedef {'none'|'connecting'|'connected'|'interrupted'|'lost'} PeerFact */

/**
 * @typedef {object} Facts
 * @property {boolean} started
 * @property {'connecting'|'open'|'lost'} socket
 * @property {PeerFact} peer
 * @property {boolean} silent whether the host answers nothing over a connection that counts as connected
 * @property {boolean} offline whether this machine has no network
 * @property {boolean} seen whether this viewer has had a picture of this instance
 * @property {boolean} ran whether the instance is known to have got as far as running, or failing
 * @property {InstanceMessage | null} instance
 * @property {string | null} ended close reason that ends the instance for good
 * @property {import('./ladder.js').Rung} rung what is tried while the path is lost
 * @property {import('./diagnosis.js').Diagnosis | null} path why none was found
 * @property {string | null} away why the peer went, for the words of `reconnecting`
 * @property {{code: string, message: string} | null} fault
 * @property {number | null} appRetryAt when the app is tried again
 * @property {number | null} retryAt when the page itself tries again
 */

/**
 * @typedef {{type: 'start'} | {type: 'stop'}
 *   | {type: 'socket', state: 'connecting'|'open'|'lost', retryAt?: number | null}
 *   | {type: 'peer', state: PeerFact}
 *   | {type: 'silent', silent: boolean}
 *   | {type: 'offline', offline: boolean}
 *   | {type: 'instance', message: InstanceMessage}
 *   | {type: 'closed', reason: string}
 *   | {type: 'reason', reason: string}
 *   | {type: 'rung', rung: import('./ladder.js').Rung}
 *   | {type: 'path', path: import('./diagnosis.js').Diagnosis}
 *   | {type: 'retry', at: number | null}
 *   | {type: 'fault', code: string, message: string}} Input
 */

/**
 * @typedef {object} Shown
 * @property {ViewerState} state
 * @property {string} title a few words
 * @property {string} detail a sentence, may be empty
 * @property {string[]} output the app's last lines, for `failed`
 * @property {number | null} retryAt what a countdown counts to
 * @property {'restart'|'launch'|'retry'|'reload'|null} action what the user can do about it
 * @property {string} code stable word: status, reason or error code
 */

/** @returns {Facts} */
export function initial() {
  return {
    started: false,
    socket: 'connecting',
    peer: 'none',
    silent: false,
    offline: false,
    seen: false,
    ran: false,
    instance: null,
    ended: null,
    rung: 'steady',
    path: null,
    away: null,
    fault: null,
    appRetryAt: null,
    retryAt: null,
  };
}

/** Statuses of an instance that is, or will be, running. */
const ALIVE = new Set(['INITIALIZING', 'RUNNING', 'RESTARTING']);
/** Statuses of an instance whose next start is another one. */
const BEGUN = new Set(['RUNNING', 'RESTARTING', 'FAILED']);

/**
 * @param {Facts} facts
 * @param {Input} input
 * @param {number} now milliseconds, of the same clock as `retryAt`
 * @returns {Facts}
 */
export function step(facts, input, now) {
  switch (input.type) {
    case 'start':
      return { ...initial(), offline: facts.offline, started: true };
    case 'stop':
      return { ...initial(), offline: facts.offline };
    case 'socket':
      return {
        ...facts,
        socket: input.state,
        retryAt: input.state === 'lost' ? (input.retryAt ?? null) : null,
      };
    case 'peer':
      return {
        ...facts,
        peer: input.state,
        silent: false,
        seen: facts.seen || input.state === 'connected',
        ...(input.state === 'connected' ? { away: null, retryAt: null, fault: null, path: null } : {}),
      };
    case 'silent':
      return { ...facts, silent: input.silent };
    case 'offline':
      return { ...facts, offline: input.offline };
    case 'instance': {
      const { message } = input;
      return {
        ...facts,
        instance: { ...facts.instance, ...cleared, ...message },
        ran: facts.ran || BEGUN.has(message.status),
        // An instance that lives again (Restart) takes back an earlier end or fault.
        ended: ALIVE.has(message.status) ? null : facts.ended,
        fault: null,
        appRetryAt: message.retry_in_ms === undefined ? null : now + message.retry_in_ms,
      };
    }
    case 'closed':
      return afterClose(input.reason) === 'end'
        ? { ...facts, peer: 'lost', silent: false, ended: input.reason }
        : { ...facts, peer: 'lost', silent: false, away: input.reason };
    case 'reason':
      return facts.away ? { ...facts, away: input.reason } : facts;
    case 'rung':
      return { ...facts, rung: input.rung };
    case 'path':
      return { ...facts, path: input.path };
    case 'retry':
      return { ...facts, retryAt: input.at };
    case 'fault':
      return { ...facts, fault: { code: input.code, message: input.message }, retryAt: null };
  }
}

/** What an `instance` message leaves out, it takes back. */
const cleared = {
  reason: undefined,
  message: undefined,
  output: undefined,
  retry_in_ms: undefined,
  windows: undefined,
};

/**
 * The one state to show.
 * @param {Facts} facts
 * @returns {Shown}
 */
export function shown(facts) {
  if (!facts.started) return view('idle', 'idle', 'Not connected', '');
  if (facts.fault) return fault(facts.fault);
  const name = facts.instance?.app?.name ?? 'The program';
  const status = facts.instance?.status;
  const reason = facts.instance?.reason;
  if (status === 'FAILED') {
    return {
      ...view(
        'failed',
        reason ?? 'FAILED',
        failedTitle(name, reason),
        said(facts.instance?.message) ?? words(reason),
      ),
      output: facts.instance?.output ?? [],
      action: 'restart',
    };
  }
  // Who was told the end of the connection may never hear of the end of the shutdown: its socket may be away.
  if (status === 'DEINITIALIZING' && !facts.ended)
    return view('ended', status, `${name} is shutting down`, '');
  if (status === 'TERMINATED' || facts.ended) {
    const code = reason ?? facts.ended ?? 'TERMINATED';
    const shownEnd = view('ended', code, `${name} has ended`, said(facts.instance?.message) ?? words(code));
    return { ...shownEnd, action: 'launch' };
  }
  const interrupted = facts.peer === 'interrupted' || facts.silent;
  if (status === 'RESTARTING' && !interrupted) {
    const detail = said(facts.instance?.message) ?? (reason ? words(reason) : 'It is being started again.');
    return { ...view('restarting', status, comingBack(name, reason), detail), retryAt: facts.appRetryAt };
  }
  if (facts.peer === 'connected' && !interrupted) {
    if (status === 'INITIALIZING') {
      const begun = facts.seen && facts.ran ? 'restarting' : 'connecting';
      return view(begun, status, `${name} is starting`, 'Waiting for its first picture.');
    }
    if (reason === 'not_responding') {
      const detail = 'It may be busy. What it shows is the last that it drew.';
      return { ...view('connected', reason, `${name} does not respond`, detail), action: 'restart' };
    }
    return view('connected', 'connected', 'Connected', '');
  }
  /** @type {Pick<Shown, 'retryAt' | 'action'>} */
  const next = { retryAt: facts.retryAt, action: facts.rung === 'stuck' ? 'reload' : null };
  if (facts.path && facts.away === 'ice_failed' && facts.socket === 'open') {
    const { code, title, detail } = facts.path;
    return { ...view(facts.seen ? 'reconnecting' : 'connecting', code, title, detail), ...next };
  }
  if (facts.seen) {
    const code = facts.offline ? 'offline' : facts.silent ? 'silent' : (facts.away ?? facts.socket);
    return { ...view('reconnecting', code, 'Reconnecting', wayBack(facts)), ...next };
  }
  if (facts.socket === 'lost') {
    const detail = facts.offline ? OFFLINE : 'The host does not answer.';
    return {
      ...view('connecting', facts.offline ? 'offline' : 'socket_lost', 'Connecting', detail),
      retryAt: facts.retryAt,
    };
  }
  if (status === 'INITIALIZING') return view('connecting', status, `${name} is starting`, '');
  const detail = facts.away ? closeWords(facts.away) : '';
  return { ...view('connecting', facts.away ?? 'connecting', 'Connecting', detail), ...next };
}

const OFFLINE = 'This device has no network.';

/** What is being done to bring the picture back. @param {Facts} facts */
function wayBack({ away, offline, rung }) {
  if (offline) return OFFLINE;
  if (rung === 'restarting') return 'Looking for another path to the host.';
  if (away) return closeWords(away);
  return 'The picture comes back as soon as the host answers.';
}

/**
 * @param {ViewerState} state @param {string} code @param {string} title @param {string} detail
 * @returns {Shown}
 */
function view(state, code, title, detail) {
  return { state, code, title, detail, output: [], retryAt: null, action: null };
}

/** Without its picture the program itself may be well. @param {string} name @param {string | undefined} reason */
function failedTitle(name, reason) {
  if (reason === 'display_failed') return `The display of ${name} has failed`;
  return reason === 'capture_failed' || reason === 'encoders_failed'
    ? `The picture of ${name} has failed`
    : `${name} has failed`;
}

/** @param {{code: string, message: string}} error @returns {Shown} */
function fault(error) {
  const title = TITLES[error.code] ?? 'This does not work';
  const shownFault = view('error', error.code, title, said(error.message) ?? words(error.code));
  return { ...shownFault, action: FINAL_FAULTS.has(error.code) ? null : 'retry' };
}

/** Faults that trying again does not mend. */
const FINAL_FAULTS = new Set([
  'unknown_instance',
  'unsupported_browser',
  'access_ended',
  'unknown_link',
  'link_revoked',
  'link_expired',
  'link_used_up',
]);

/** @type {Record<string, string>} */
const TITLES = {
  unknown_instance: 'There is no such instance',
  not_allowed: 'You may not watch this instance',
  access_ended: 'Your access has ended',
  unknown_link: 'This link opens nothing',
  link_revoked: 'This link was revoked',
  link_expired: 'This link has expired',
  link_used_up: 'This link was used before',
  auth_required: 'This host wants to know you first',
  no_common_codec: 'No common video format',
  bad_sdp: 'The host refused the connection',
  unsupported_browser: 'This browser cannot show the picture',
  no_webcodecs: 'This browser cannot show the picture',
  webcodecs_insecure: 'This way needs https',
  no_vnc: 'This host sends nothing by VNC',
  transport_not_offered: 'This host does not offer this way',
  rate_limited: 'Too many attempts',
  too_many_viewers: 'Too many people are watching',
};

/** @type {Record<string, string>} */
const WORDS = {
  unknown_instance: 'It may have been terminated, or the address is incomplete.',
  not_allowed: 'Ask its owner for a link.',
  unknown_link: 'It is incomplete, or what it shared has ended. Ask for another.',
  link_revoked: 'Ask its owner for another.',
  link_expired: 'Ask its owner for another.',
  link_used_up: 'Ask its owner for another.',
  auth_required: 'Open the address that the host printed at its start, then come back.',
  no_common_codec: 'The browser decodes none of the formats that the host encodes.',
  unsupported_browser: 'It has no WebRTC, or it is switched off.',
  no_webcodecs:
    'It decodes nothing that comes by a WebSocket: it has no WebCodecs for H.264 or VP8. Chromium has, and Firefox from 130 on.',
  webcodecs_insecure:
    'Browsers decode what comes by a WebSocket on encrypted pages only. Open this page by https, or let it use WebRTC.',
  no_vnc: 'It has no VNC server, or does not let it be used. Let the page use another way.',
  transport_not_offered: 'Let the page use another way.',
  host_shutdown: 'The host is restarting.',
  app_exited: 'The program was closed.',
  app_crashed: 'The program has crashed.',
  instance_ended: 'It was terminated.',
  requested: 'It was terminated.',
  TERMINATED: 'It was terminated.',
  crash_loop: 'The program crashed again and again.',
  not_ready: 'The program showed no picture in time.',
  home_full: 'What it keeps has grown larger than it may be.',
  keeper_lost: 'The process that kept it is gone.',
  idle: 'Nobody watched it for a while.',
};

/**
 * What is under way while the picture is away. The program itself is not always what is restarted.
 * @param {string} name of the program @param {string | undefined} reason
 */
function comingBack(name, reason = '') {
  if (reason.endsWith('_held')) return `${name} stands still`;
  if (/^(capture|input)_/.test(reason)) return `The picture of ${name} is coming back`;
  return `${name} is restarting`;
}

/**
 * What the host says, as a sentence of the page.
 * @param {string | undefined} message
 */
export function said(message) {
  if (!message) return undefined;
  const end = /[.!?…]$/.test(message) ? '' : '.';
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${end}`;
}

/**
 * A stable code in words.
 * @param {string | undefined} code
 */
export function words(code) {
  if (!code) return '';
  if (Object.hasOwn(WORDS, code)) return WORDS[code];
  const text = code.replaceAll('_', ' ').toLowerCase();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
