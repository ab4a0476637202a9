// How steadily pictures came, and how well what was offered fitted the line: figures of traces. Pure.

/** @typedef {{ at: number, ms: number }} Gap begins at, and lasts */

/**
 * The times without a new frame that are longer than `least`, those at the beginning and the end included.
 *
 * @param {number[]} frames when each was seen, ms, in order @param {number} from @param {number} to
 * @param {number} least ms
 * @returns {Gap[]}
 */
export function gaps(frames, from, to, least) {
  const found = [];
  let before = from;
  for (const at of [...frames.filter(at => at > from && at < to), to]) {
    if (at - before > least) found.push({ at: before, ms: at - before });
    before = at;
  }
  return found;
}

/** The longest time without a new frame. @param {number[]} frames @param {number} from @param {number} to */
export function longestGap(frames, from, to) {
  return Math.max(...gaps(frames, from, to, -1).map(({ ms }) => ms));
}

/** Frames a second. @param {number[]} frames @param {number} from @param {number} to */
export function frameRate(frames, from, to) {
  return (frames.filter(at => at >= from && at < to).length * 1000) / (to - from);
}

/** @typedef {{ at: number, ms: number, offered: number, carried: number }} Part kbit/s, of a time that lasted `ms` */

/**
 * The rate over all of a time. Its parts are not of the same length where the machine was busy: all that had waited for
 * the emulator meanwhile may be in a short one.
 *
 * @param {Part[]} parts @param {'offered' | 'carried'} key @returns {number} kbit/s
 */
export function meanRate(parts, key) {
  const ms = parts.reduce((all, one) => all + one.ms, 0);
  return ms > 0 ? parts.reduce((all, one) => all + one[key] * one.ms, 0) / ms : 0;
}

/** How many times as much was offered as was carried. @param {Part[]} parts */
export function excess(parts) {
  const carried = meanRate(parts, 'carried');
  return carried > 0 ? meanRate(parts, 'offered') / carried : Number.POSITIVE_INFINITY;
}

/**
 * How long after a moment the picture runs steadily: for as long as `calm` no gap of more than `least`.
 *
 * @param {number[]} frames @param {number} since @param {number} to until when was looked
 * @param {{ least?: number, calm?: number }} [options] ms
 * @returns {number | null} ms; null if it was not while one looked
 */
export function steadyAfter(frames, since, to, { least = 500, calm = 2_000 } = {}) {
  let begin = since;
  for (const { at, ms } of gaps(frames, since, to, least)) {
    if (at - begin >= calm) break;
    begin = at + ms;
  }
  return to - begin >= calm ? begin - since : null;
}

/**
 * How long after a moment the line first carries a rate again.
 *
 * @param {{ at: number, carried: number }[]} seconds @param {number} since @param {number} kbps
 * @returns {number | null} ms; null if it did not while one looked
 */
export function rateAfter(seconds, since, kbps) {
  const found = seconds.find(({ at, carried }) => at > since && carried >= kbps);
  return found ? found.at - since : null;
}
