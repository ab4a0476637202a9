/**
 * Delays between attempts: doubling from `first` to `limit`, each jittered down by up to half, for ever.
 */
export class Backoff {
  /** @param {{first?: number, limit?: number, random?: () => number}} [options] milliseconds */
  constructor({ first = 300, limit = 5000, random = Math.random } = {}) {
    this.first = first;
    this.limit = limit;
    this.random = random;
    this.attempts = 0;
  }

  /** The next delay in milliseconds; each call counts as an attempt. */
  next() {
    const full = Math.min(this.limit, this.first * 2 ** Math.min(this.attempts, 30));
    this.attempts += 1;
    // Never shorter than half, so that "0.3 s" cannot become a busy loop; never longer than the limit.
    return Math.max(Math.min(this.first, full), Math.round(full * (1 - this.random() / 2)));
  }

  /** What was tried has worked: begin anew. */
  reset() {
    this.attempts = 0;
  }
}
