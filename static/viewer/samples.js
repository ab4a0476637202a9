/** Nothing takes longer: such a sample is of clocks that are wrong, ms. */
const LONGEST_MS = 60_000;

/** @typedef {{p50_ms: number, p95_ms: number, samples: number}} Figures */

/** What was measured of late. Pure. */
export class Samples {
  /** overflow: the oldest goes. @type {{at: number, ms: number}[]} */
  #samples = [];

  /** @param {number} [forMs] how long one counts @param {number} [most] */
  constructor(forMs = 60_000, most = 1200) {
    this.forMs = forMs;
    this.most = most;
  }

  /** @param {number} ms @param {number} now ms */
  add(ms, now) {
    if (!(ms >= 0 && ms <= LONGEST_MS)) return;
    this.#samples.push({ at: now, ms });
    if (this.#samples.length > this.most) this.#samples.shift();
  }

  clear() {
    this.#samples = [];
  }

  /** Median and 95th percentile (nearest rank), to a tenth of a millisecond. @param {number} now ms @returns {Figures | null} */
  figures(now) {
    this.#samples = this.#samples.filter(({ at }) => now - at < this.forMs);
    // Whoever asks about a moment ago does not lose what has come since.
    const then = this.#samples.filter(({ at }) => at <= now);
    const sorted = then.map(({ ms }) => ms).sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const at = (/** @type {number} */ share) =>
      Math.round(sorted[Math.ceil(share * sorted.length) - 1] * 10) / 10;
    return { p50_ms: at(0.5), p95_ms: at(0.95), samples: sorted.length };
  }
}
