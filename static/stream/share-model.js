import { plural } from '../lib/format.js';

/** What the sharing dialog offers and says. Pure. */

/** @typedef {import('../lib/api.js').Link} Link */

export const ROLES = Object.freeze({ spectator: 'Watch only', controller: 'Watch and steer' });

const HOUR = 3600;
/** Seconds that a link lives, in words. */
export const LIVES = Object.freeze([
  [HOUR, '1 hour'],
  [24 * HOUR, '1 day'],
  [7 * 24 * HOUR, '7 days'],
  [30 * 24 * HOUR, '30 days'],
]);
/** The choice at first, seconds. */
export const USUAL_LIFE = 24 * HOUR;

/**
 * Time left, coarsely and never more than there is: `59 min`, `23 h`, `6 days`.
 * @param {number} ms
 */
export function left(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : plural(Math.floor(hours / 24), 'day');
}

/**
 * A link in words: who uses it, how often it may be used yet, and until when.
 * @param {Link} link @param {number} now ms since 1970, of the host's clock
 */
export function linkWords(link, now) {
  const used =
    link.uses === null
      ? link.used === 0
        ? 'not used yet'
        : `used by ${link.used}`
      : link.uses_left === 0
        ? 'used up'
        : link.uses === 1
          ? 'for one browser'
          : `${link.uses_left} of ${link.uses} uses left`;
  const using = link.using > 0 ? `${plural(link.using, 'viewer')} now` : 'nobody now';
  return { role: ROLES[link.role], detail: `${using} · ${used} · ends in ${left(link.expires - now)}` };
}
