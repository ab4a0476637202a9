/** Answers that are remembered. */
const REMEMBERED = 8;

/**
 * The host's clock, from pings: the answer that was quickest says best when it was given. Pure.
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
    this.#answers.push({ trip, offset: Number(hostTime) / 1000 - (now - trip / 2) });
    if (this.#answers.length > REMEMBERED) this.#answers.shift();
  }

  /**
   * How long ago something was at the host, in ms; null before anything is known.
   * @param {number} us the host's time @param {number} now ms
   */
  age(us, now) {
    if (this.#answers.length === 0) return null;
    const { offset } = this.#answers.reduce((best, one) => (one.trip < best.trip ? one : best));
    return now + offset - us / 1000;
  }
}
