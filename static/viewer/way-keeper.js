import { decodable } from './decodable.js';
import { both, second, turn, ways } from './ways.js';

/** @typedef {import('./ways.js').Event} Event */

/**
 * @typedef {object} Hooks
 * @property {() => void} fall gives WebRTC up for now
 * @property {() => void} attempt tries WebRTC beside the second way
 * @property {() => void} impossible nothing is left that may be tried
 */

/** Why the picture cannot come by a WebSocket here. @typedef {'insecure'|'missing'} Lack */

/** Carries out what the ladder of ways says. */
export class WayKeeper {
  /** The formats that this browser decodes. @type {import('./media-frames.js').Codec[]} */
  codecs = [];
  #ways;
  #timer = 0;

  /**
   * @param {import('./signalling.js').Env} env @param {import('./ways.js').Wish} wish
   * @param {Hooks} hooks @param {boolean} [blocked] whether WebRTC found no path the last time
   */
  constructor(env, wish, hooks, blocked = false) {
    this.env = env;
    this.hooks = hooks;
    const can = {
      webrtc: Boolean(env.RTCPeerConnection),
      websocket: Boolean(env.VideoDecoder && env.canvas),
      vnc: Boolean(env.canvas),
    };
    this.#ways = ways(wish, can, blocked);
    this.ready = this.#lookAtCodecs();
  }

  get way() {
    return this.#ways.way;
  }

  /** Whether there is a choice. */
  get both() {
    return both(this.#ways);
  }

  /** The way for where WebRTC is not, where there is a choice. */
  get second() {
    return this.both ? second(this.#ways) : null;
  }

  get wish() {
    return this.#ways.wish;
  }

  /** Whether anything can be tried. */
  get any() {
    const { wish, can } = this.#ways;
    return wish === 'auto' ? can.webrtc || second({ can }) !== null : can[wish];
  }

  /** What is lacking for a WebSocket, where one may be tried at all. @returns {Lack | null} */
  get lack() {
    const { wish, can } = this.#ways;
    if (can.websocket || (wish !== 'websocket' && (wish !== 'auto' || can.vnc))) return null;
    return this.env.secure === false ? 'insecure' : 'missing';
  }

  /** What it is called where nothing can be tried. */
  get fault() {
    const { wish } = this.#ways;
    if (wish === 'websocket') return this.lack === 'insecure' ? 'webcodecs_insecure' : 'no_webcodecs';
    return wish === 'vnc' ? 'no_vnc' : 'unsupported_browser';
  }

  /**
   * @param {Event} event
   * @returns {boolean} whether another way is next
   */
  tell(event) {
    const { way } = this.#ways;
    const next = turn(this.#ways, event, this.env.now());
    this.#ways = next.ways;
    this.#wait();
    if (next.effect === 'fall') this.hooks.fall();
    else if (next.effect === 'try') this.hooks.attempt();
    return this.#ways.way !== way;
  }

  /** The host takes only these. @param {string[]} transports */
  offered(transports) {
    for (const way of /** @type {const} */ (['webrtc', 'websocket', 'vnc']))
      if (!transports.includes(way)) this.tell(`no_${way}`);
  }

  stop() {
    this.env.clearTimeout(this.#timer);
  }

  #wait() {
    this.stop();
    const { until } = this.#ways;
    if (until !== null)
      this.#timer = this.env.setTimeout(() => this.tell('tick'), Math.max(0, until - this.env.now()));
  }

  async #lookAtCodecs() {
    const { can, wish } = this.#ways;
    if (!can.websocket || (wish !== 'auto' && wish !== 'websocket')) return;
    this.codecs = await (this.env.codecs ?? decodable(this.env.VideoDecoder)).catch(() => []);
    if (this.codecs.length > 0) return;
    this.tell('no_websocket');
    if (!this.any) this.hooks.impossible();
  }
}
