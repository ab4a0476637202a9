/**
 * What is tried, one after the other, when the path to the host is lost. Pure.
 *
 * ```text
 *            lost, another network,                not found in 4 s,
 *            the host or new credentials ask       refused, failed
 *   steady ─────────────────────────► restarting ─────────────────► offering ──the fifth lost──► stuck
 *      ▲                                  │ found                      │ connected                  │ connected
 *      └──────────────────────────────────┴────────────────────────────┴────────────────────────────┘
 * ```
 *
 * - `restarting`: an ICE restart (RFC 8445, section 9): other paths for the same connection. What works, works on.
 * - `offering`: a new connection, with the back-off and the deadline of every offer.
 * - `stuck`: offers go on for ever, and the user is offered to load the page anew.
 *
 * `disconnected` is not `failed`: it begins a restart, and while that runs the connection may come back by itself.
 *
 * A restart that the old network, or a socket that is gone, has taken along is begun anew, with a deadline of its own.
 */

/** A restart that has found no path after this time is given up. */
export const RESTART_WITHIN_MS = 4000;
/** So many connections in a row that were lost or never made: the page may be what is wrong. */
export const LOSSES_BEFORE_RELOAD = 5;

/** @typedef {'steady'|'restarting'|'offering'|'stuck'} Rung */

/**
 * @typedef {object} Ladder
 * @property {Rung} rung
 * @property {number | null} until when the rung is given up
 * @property {boolean} broken whether the connection is known not to work now
 * @property {boolean} agreed whether the host has answered the restart
 * @property {number} lost connections in a row that were lost or never made
 */

/**
 * What happened. `connected`: the path (again) works. `interrupted`: it does not, perhaps for a moment. `network`: the
 * machine has other networks. `anew`: and what was tried over the old ones is worth nothing. `silent`: nothing comes
 * through, whatever the connection believes. `asked`: the host hears nothing. `refresh`: the relay in use wants new
 * credentials. `failed`: the connection will not come back by itself. `refused`: the host does not restart, or did not answer.
 * `moved`: the restart is agreed on. `lost`: the connection is gone, or an offer led to nothing. `tick`: time passed.
 * @typedef {'connected'|'interrupted'|'network'|'anew'|'silent'|'asked'|'refresh'|'failed'|'refused'|'moved'|'lost'|'tick'} Event
 */

/** What is to be done: restart ICE, take back a restart, or make a new offer. @typedef {'restart'|'undo'|'offer'} Effect */

/** @returns {Ladder} */
export const foot = () => ({ rung: 'steady', until: null, broken: false, agreed: false, lost: 0 });

/** @type {readonly Rung[]} */
export const RUNGS = Object.freeze(['steady', 'restarting', 'offering', 'stuck']);
/** @type {readonly Event[]} */
export const EVENTS = Object.freeze([
  'connected',
  'interrupted',
  'network',
  'anew',
  'silent',
  'asked',
  'refresh',
  'failed',
  'refused',
  'moved',
  'lost',
  'tick',
]);

/**
 * @param {Ladder} ladder
 * @param {Event} event
 * @param {number} now milliseconds
 * @returns {{ladder: Ladder, effect: Effect | null}}
 */
export function climb(ladder, event, now) {
  switch (event) {
    case 'connected':
      // While a restart is being agreed on, this is about the path that is about to be left.
      if (ladder.rung === 'restarting' && !ladder.agreed) return stay({ ...ladder, broken: false });
      return stay(foot());
    case 'interrupted':
      return seek({ ...ladder, broken: true }, now);
    case 'network':
    case 'asked':
    case 'refresh':
      return seek(ladder, now);
    case 'anew':
      return ladder.rung === 'restarting' ? restart(ladder, now) : seek(ladder, now);
    case 'silent':
      // It may be the host that stands still: no reason to leave the path, but none to keep it either.
      return stay({ ...ladder, broken: true });
    case 'moved':
      if (ladder.rung !== 'restarting') return stay(ladder);
      return stay(ladder.broken ? { ...ladder, agreed: true } : foot());
    case 'failed':
      // A restart can still help, if it was not tried yet.
      if (ladder.rung === 'restarting') return offer(ladder);
      return seek({ ...ladder, broken: true }, now);
    case 'refused':
      return ladder.rung === 'restarting' && !ladder.agreed ? give(ladder) : stay(ladder);
    case 'lost':
      return stay(fallen(ladder));
    case 'tick':
      if (ladder.rung === 'restarting' && ladder.until !== null && now >= ladder.until) return give(ladder);
      return stay(ladder);
  }
}

/** @param {Ladder} ladder @returns {{ladder: Ladder, effect: null}} */
const stay = ladder => ({ ladder, effect: null });

/** Looks for other paths, unless that is under way or there is no connection to look for. @param {Ladder} ladder @param {number} now */
function seek(ladder, now) {
  return ladder.rung === 'steady' ? restart(ladder, now) : stay(ladder);
}

/** @param {Ladder} ladder @param {number} now */
function restart(ladder, now) {
  /** @type {Ladder} */
  const next = { ...ladder, rung: 'restarting', until: now + RESTART_WITHIN_MS, agreed: false };
  return { ladder: next, effect: /** @type {const} */ ('restart') };
}

/** The restart came to nothing: what still works is kept, what does not is made anew. @param {Ladder} ladder */
function give(ladder) {
  if (ladder.broken) return offer(ladder);
  return { ladder: foot(), effect: /** @type {const} */ ('undo') };
}

/** @param {Ladder} ladder */
function offer(ladder) {
  /** @type {Ladder} */
  const next = { ...ladder, rung: 'offering', until: null, broken: true };
  return { ladder: next, effect: /** @type {const} */ ('offer') };
}

/** @param {Ladder} ladder @returns {Ladder} */
function fallen(ladder) {
  const lost = ladder.lost + 1;
  return { ...foot(), rung: lost >= LOSSES_BEFORE_RELOAD ? 'stuck' : 'offering', broken: true, lost };
}
