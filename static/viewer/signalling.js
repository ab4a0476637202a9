import { Backoff } from '../lib/backoff.js';
import { BACK_DOUBT_MS, DOUBT_MS, SILENT_DOUBT_MS } from './deadlines.js';
import { parse, SUBPROTOCOL } from './protocol.js';

/** @typedef {import('./protocol.js').ClientMessage} ClientMessage */

/**
 * What the client needs of its surroundings; tests hand in their own.
 * @typedef {object} Env
 * @property {typeof WebSocket} WebSocket
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 * @property {typeof VideoDecoder} [VideoDecoder] missing on pages without encryption, and in some browsers
 * @property {typeof EncodedVideoChunk} [EncodedVideoChunk]
 * @property {Promise<import('./media-frames.js').Codec[]>} [codecs] what it decodes, where that was looked at
 * @property {() => HTMLCanvasElement} [canvas] makes one
 * @property {(run: (at: number) => void) => unknown} nextFrame runs it with the page's next frame, and when that began, ms
 * @property {boolean} [secure] whether the page is one that browsers trust with everything
 * @property {(run: () => void, ms: number) => number} setTimeout
 * @property {(id: number) => void} clearTimeout
 * @property {() => number} now milliseconds, monotonic
 * @property {() => number} random
 * @property {() => boolean} visible whether anybody can see the page
 * @property {() => boolean} online whether this machine has a network
 */

const PING_EVERY_MS = 5000;
/** A socket that brings nothing for this long, pings included, is given up. */
const SILENCE_MS = 15000;
const OPEN_WITHIN_MS = 8000;
/** overflow: the oldest message is dropped; what matters is sent anew after `welcome`. */
const QUEUE_LIMIT = 64;
/** Messages that mean nothing on a later socket. */
const MOMENTARY = new Set(['ping', 'stats', 'offer', 'candidate', 'restart_ice', 'watch', 'unwatch']);

/**
 * The WebSocket client: says hello, keeps the socket alive, reconnects for ever while the page is visible.
 *
 * Events: `open` (hello is sent; detail: `{greeted}`, whether `watch` is, too), `lost` (detail: `{retryAt, everOpen}`), `message` (detail: a ServerMessage).
 * It survives: a refused or dropped socket, silence, a sleeping machine. It does not know what a peer is.
 */
export class Signalling extends EventTarget {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ClientMessage[]} */
  #queue = [];
  #running = false;
  #timer = 0;
  #pinger = 0;
  #heard = 0;
  #received = 0;
  #attempts = 0;

  /** @param {string} url @param {Env} env @param {string | null} [viewerId] */
  constructor(url, env, viewerId = null) {
    super();
    this.url = url;
    this.env = env;
    this.viewerId = viewerId;
    this.backoff = new Backoff({ random: env.random });
  }

  get open() {
    return this.#socket?.readyState === 1;
  }

  /** Whether something came since then by the socket that is open. @param {number} time ms */
  heardSince(time) {
    return this.open && this.#heard >= time;
  }

  /** Attempts in a row that never opened. */
  get failedAttempts() {
    return this.#attempts;
  }

  /** @param {import('./begun.js').Begun | null} [begun] a socket to this URL that is opening already, for the first attempt */
  start(begun = null) {
    if (this.#running) return;
    this.#running = true;
    this.#connect(begun);
  }

  stop() {
    this.#running = false;
    this.env.clearTimeout(this.#timer);
    this.#queue = [];
    this.#drop();
  }

  /** The page became visible, or the networks have changed: no need to wait any longer. */
  wake() {
    if (!this.#running) return;
    if (this.open) {
      this.#doubt(DOUBT_MS);
      return;
    }
    if (this.#socket) return;
    this.env.clearTimeout(this.#timer);
    this.backoff.reset();
    this.#connect();
  }

  /** Nothing comes through the connection either. */
  suspect() {
    if (this.open) this.#doubt(SILENT_DOUBT_MS);
    else this.wake();
  }

  /** This machine is back on a network, perhaps another one: what was begun over the old one is not waited for. */
  moved() {
    if (!this.#running) return;
    if (this.open) {
      this.#doubt(BACK_DOUBT_MS);
      return;
    }
    this.backoff.reset();
    this.restart();
  }

  /** After a sleep, or on another network, a socket may be open in name only. @param {number} within */
  #doubt(within) {
    const socket = this.#socket;
    const before = this.#received;
    this.send({ type: 'ping', t: this.env.now() });
    this.env.setTimeout(() => {
      if (this.#socket !== socket || this.#received > before || !this.open) return;
      this.backoff.reset();
      this.#abandon(true);
    }, within);
  }

  /** Drops the socket and connects again at once, for instance under another viewer id. */
  restart() {
    if (!this.#running) return;
    this.env.clearTimeout(this.#timer);
    this.#drop();
    this.#connect();
  }

  /**
   * Sends now, or keeps the message for the next socket where it still makes sense there.
   * @param {ClientMessage} message
   * @returns {boolean} whether it was sent
   */
  send(message) {
    if (this.open) {
      this.#socket?.send(JSON.stringify(message));
      return true;
    }
    if (!MOMENTARY.has(message.type)) {
      if (this.#queue.length >= QUEUE_LIMIT) this.#queue.shift();
      this.#queue.push(message);
    }
    return false;
  }

  /** @param {import('./begun.js').Begun | null} [begun] */
  #connect(begun = null) {
    if (!this.env.visible()) {
      begun?.signalling.socket.close();
      // Nobody is looking: `wake` comes when somebody is.
      this.#emit('lost', { retryAt: null, everOpen: false });
      return;
    }
    const ahead = begun && begun.signalling.socket.readyState < 2 ? begun : null;
    const greeted = ahead?.greeted ?? false;
    let socket = ahead?.signalling.socket;
    try {
      socket ??= new this.env.WebSocket(this.url, SUBPROTOCOL);
    } catch {
      this.#lost(false);
      return;
    }
    this.#socket = socket;
    let opened = false;
    this.#timer = this.env.setTimeout(() => {
      if (this.#socket === socket && !opened) this.#abandon(false);
    }, OPEN_WITHIN_MS);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      opened = true;
      this.env.clearTimeout(this.#timer);
      this.#attempts = 0;
      this.#heard = this.env.now();
      if (!greeted) this.send({ type: 'hello', ...(this.viewerId ? { viewer_id: this.viewerId } : {}) });
      this.#emit('open', { greeted });
      this.#ping();
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#receive(data);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#abandon(opened);
    };
    if (socket.readyState === 1) socket.onopen(new Event('open'));
    // When what is to hear it is there as well.
    if (ahead) queueMicrotask(() => this.#retell(ahead.signalling));
  }

  /** What came before anybody listened. @param {import('./begun.js').Opening} ahead */
  #retell({ socket, heard }) {
    for (const { data } of heard.splice(0)) if (this.#socket === socket) this.#receive(data);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heard = this.env.now();
    this.#received += 1;
    const message = parse(data);
    if (!message) return;
    if (message.type === 'welcome') {
      this.viewerId = message.viewer_id;
      this.backoff.reset();
    }
    this.#emit('message', message);
    if (message.type === 'welcome') for (const waiting of this.#queue.splice(0)) this.send(waiting);
  }

  #ping() {
    this.#pinger = this.env.setTimeout(() => {
      if (this.env.now() - this.#heard > SILENCE_MS) {
        this.#abandon(true);
        return;
      }
      this.send({ type: 'ping', t: Math.round(this.env.now()) });
      this.#ping();
    }, PING_EVERY_MS);
  }

  /** @param {boolean} opened */
  #abandon(opened) {
    this.#drop();
    this.#lost(opened);
  }

  #drop() {
    this.env.clearTimeout(this.#pinger);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {boolean} everOpen */
  #lost(everOpen) {
    if (!this.#running) return;
    if (!everOpen) this.#attempts += 1;
    this.env.clearTimeout(this.#timer);
    const delay = this.backoff.next();
    this.#timer = this.env.setTimeout(() => this.#connect(), delay);
    this.#emit('lost', { retryAt: this.env.now() + delay, everOpen });
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
