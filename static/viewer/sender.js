import { encode } from './frames.js';

/** Sends input events to the app over the connection of the moment, numbered across connections. */
export class Sender {
  #seq = 0;

  /** @param {import('./signalling.js').Env} env */
  constructor(env) {
    this.env = env;
  }

  /**
   * @param {import('./frames.js').InputEvent} event
   * @param {import('./carrying.js').Transport | null} peer
   * @param {import('./protocol.js').Role | null} role without a say, nothing goes out that steers
   * @returns {boolean} whether it went out
   */
  send(event, peer, role) {
    const own = event.type === 'ping' || event.type === 'hidden' || event.type === 'visible';
    if (!own && role === 'spectator') return false;
    const how = event.type === 'move' || event.type === 'relative_move' ? 'moves' : 'reliable';
    const frame = encode(event, this.#seq, Math.floor(this.env.now()));
    const droppable = event.type === 'wheel' || event.type === 'repeat';
    const sent = peer?.send(frame, droppable ? 'droppable' : how) ?? false;
    if (sent) this.#seq = (this.#seq + 1) >>> 0;
    return sent;
  }
}
