/** @typedef {import('./peer.js').Peer} Peer */

/** Errors that a host gives an offer whose viewer it did not let watch, or that it takes no offers of. */
const MOOT = new Set(['not_watching', 'transport_not_offered']);

/**
 * The offers of one socket that have no answer yet: the host answers them in their order.
 *
 * One may be made along with the wish to watch, *ahead* of what the host says to that; its paths are looked for once the host has
 * said welcome, and with that by which servers.
 */
export class Offers {
  /** Oldest first. @type {Peer[]} */
  #waiting = [];
  /** @type {Peer | null} */
  #ahead = null;
  #welcome = false;

  /** There is another socket. */
  opened() {
    this.#waiting = [];
    this.#ahead = null;
    this.#welcome = false;
  }

  /** An offer without an answer dies with its socket. */
  lost() {
    this.#waiting = [];
    this.#ahead = null;
  }

  get any() {
    return this.#waiting.length > 0;
  }

  /** The one that is made ahead, until it is answered. */
  get ahead() {
    return this.#ahead;
  }

  /** @param {Peer | null} peer */
  set ahead(peer) {
    this.#ahead = peer;
  }

  /** @param {Peer | null} peer */
  has(peer) {
    return peer !== null && this.#waiting.includes(peer);
  }

  /** One was sent. @param {Peer} peer @param {import('./peer.js').Ice} [ice] by what paths, where it is not to seek by itself */
  made(peer, ice) {
    this.#waiting.push(peer);
    if (ice && this.#welcome) void peer.seek(ice);
  }

  /** The host has said welcome. @param {import('./peer.js').Ice} ice */
  welcomed(ice) {
    this.#welcome = true;
    if (this.#ahead) void this.#ahead.seek(ice);
  }

  /** The oldest one is answered, or refused. */
  settled() {
    const peer = this.#waiting.shift();
    if (peer === this.#ahead) this.#ahead = null;
    return peer;
  }

  /**
   * Whether an error says of the one ahead no more than what the host says by itself: that there is nothing to watch, or no WebRTC.
   * @param {string} code @param {boolean} wanted whether its peer is still to bring the picture
   */
  moot(code, wanted) {
    const peer = this.#ahead;
    if (!peer || !MOOT.has(code) || (wanted && code !== 'not_watching')) return false;
    this.#waiting = this.#waiting.filter(one => one !== peer);
    return true;
  }
}
