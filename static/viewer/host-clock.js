/** Answers that are remembered. */
const REMEMBERED = 8;
/** Answers that contradict each other by more than what they were under way, and this, are of clocks of which one has jumped, ms. */
const JUMP_MS = 5;

/**
 * The host's clock, from pings: the answer that was quickest says best when it was given. Neither clock tells the time of day.
 * Pure.
 */
export class HostClock {
  /** @type {{trip: number, offset: number}[]} */
  #answers = [];

  /**
   * @param {bigint} sent what the ping carried: our time in µs
   * @param {bigint} hostTime the host's time in µs
   * @param {number} now ms
   */
  note(sent, hostTime, now) {
    const trip = now - Number(sent) / 1000;
    if (!(trip >= 0 && trip < 60_000)) return;
    const offset = Number(hostTime) / 1000 - (now - trip / 2);
    const best = this.#best;
    // A machine that has slept: what was known before is of no more use.
    if (best && Math.abs(best.offset - offset) > (best.trip + trip) / 2 + JUMP_MS) this.#answers = [];
    this.#answers.push({ trip, offset });
    if (this.#answers.length > REMEMBERED) this.#answers.shift();
  }

  reset() {
    this.#answers = [];
  }

  /** What the host's clock is ahead of ours, in ms; null before anything is known. */
  get offset() {
    return this.#best?.offset ?? null;
  }

  get #best() {
    if (this.#answers.length === 0) return null;
    return this.#answers.reduce((best, one) => (one.trip < best.trip ? one : best));
  }
}

/**
 * The host's time of a frame, in µs, by its RTP time: that of the times with so many ticks of 1/90000 s, modulo 2³², that is
 * next to `aboutUs`. Pure.
 * @param {number} rtp @param {number} offset the RTP time of the host's time 0 @param {number} aboutUs the host's time, roughly
 */
export function frameTime(rtp, offset, aboutUs) {
  const ticks = (rtp - offset) >>> 0;
  const turns = Math.round(((aboutUs * 9) / 100 - ticks) / 2 ** 32);
  return ((ticks + turns * 2 ** 32) * 100) / 9;
}
