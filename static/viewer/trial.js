import { CONNECT_WITHIN_MS } from './deadlines.js';
import { Peer } from './peer.js';

/** @typedef {import('./signalling.js').Env} Env */

/**
 * @typedef {object} Hooks
 * @property {(message: import('./protocol.js').ClientMessage) => boolean} send over the socket, if it is open
 * @property {(track: MediaStreamTrack) => void} track
 * @property {(peer: Peer) => void} works it is connected, and can be steered by
 * @property {() => void} ended it came to nothing
 */

/**
 * A WebRTC connection that is tried beside the WebSocket that brings the picture. The host gives it the viewer's place when the
 * first event comes by it.
 */
export class Trial {
  peer;
  #timer;
  #over = new AbortController();

  /** @param {Env} env @param {import('./peer.js').Ice} ice @param {Hooks} hooks */
  constructor(env, ice, hooks) {
    this.env = env;
    this.hooks = hooks;
    const peer = new Peer(env.RTCPeerConnection, env);
    this.peer = peer;
    this.#timer = env.setTimeout(() => this.end(), CONNECT_WITHIN_MS);
    /** @param {string} type @param {(detail: any) => void} run */
    const on = (type, run) =>
      peer.addEventListener(type, event => run(/** @type {CustomEvent} */ (event).detail), {
        signal: this.#over.signal,
      });
    on('state', () => this.#look());
    on('channel', () => this.#look());
    on('hopeless', () => this.end());
    on('track', hooks.track);
    on('candidate', candidate => hooks.send({ type: 'candidate', peer_id: peer.id, candidate }));
    void this.#offer(ice);
  }

  /** Gives it up. */
  end() {
    if (this.#over.signal.aborted) return;
    this.#finish();
    this.peer.close();
    this.hooks.ended();
  }

  /** @param {import('./peer.js').Ice} ice */
  async #offer(ice) {
    const sdp = await this.peer.offer(ice).catch(() => '');
    if (this.#over.signal.aborted) return;
    if (sdp === '' || !this.hooks.send({ type: 'offer', sdp, beside: true })) this.end();
  }

  #look() {
    const { peer } = this;
    if (this.#over.signal.aborted) return;
    if (peer.state === 'failed' || peer.state === 'closed') this.end();
    else if (peer.state === 'connected' && peer.ready) {
      this.#finish();
      this.hooks.works(peer);
    }
  }

  #finish() {
    this.#over.abort();
    this.env.clearTimeout(this.#timer);
  }
}
