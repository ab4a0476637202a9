/**
 * Round trips over the data channel, smoothed: the median of the last five.
 */
export class Latency {
  /** @type {number[]} */
  #samples = [];

  /** What a ping carries: the time in µs. @param {number} now ms */
  ping(now) {
    return BigInt(Math.round(now * 1000));
  }

  /** @param {bigint} t what the host sent back @param {number} now ms */
  pong(t, now) {
    const trip = now - Number(t) / 1000;
    // Anything else was not ours, or the clock has jumped.
    if (!(trip >= 0 && trip < 60000)) return;
    this.#samples.push(trip);
    if (this.#samples.length > 5) this.#samples.shift();
  }

  reset() {
    this.#samples = [];
  }

  /** Milliseconds, to a tenth; null before the first answer. */
  get value() {
    if (this.#samples.length === 0) return null;
    const sorted = [...this.#samples].sort((a, b) => a - b);
    return Math.round(sorted[sorted.length >> 1] * 10) / 10;
  }
}
