import { encode, isPress } from './frames.js';

/** What a page says of itself, whoever is in control. */
const OWN = new Set(['ping', 'hidden', 'visible', 'latency', 'rendition']);

/** Sends input events to the app over the connection of the moment, numbered across connections. */
export class Sender {
  #seq = 0;

  /** @param {import('./signalling.js').Env} env @param {(seq: number, now: number) => void} pressed something was, whose effect is to be seen */
  constructor(env, pressed) {
    this.env = env;
    this.pressed = pressed;
  }

  /**
   * @param {import('./frames.js').InputEvent} event
   * @param {import('./carrying.js').Transport | null} peer
   * @param {import('./protocol.js').Role | null} role without a say, nothing goes out that steers
   * @returns {boolean} whether it went out
   */
  send(event, peer, role) {
    const own = OWN.has(event.type);
    if (!own && role === 'spectator') return false;
    const how = event.type === 'move' || event.type === 'relative_move' ? 'moves' : 'reliable';
    const now = this.env.now();
    const frame = encode(event, this.#seq, Math.floor(now));
    const droppable = event.type === 'wheel' || event.type === 'repeat';
    const sent = peer?.send(frame, droppable ? 'droppable' : how) ?? false;
    if (sent && isPress(event)) this.pressed(this.#seq, now);
    if (sent) this.#seq = (this.#seq + 1) >>> 0;
    return sent;
  }
}
