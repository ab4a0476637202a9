import { decodeMedia } from './media-frames.js';

/** overflow: a move is dropped, the next one carries the newer position anyway. */
const MOVES_BUFFERED_LIMIT = 4096;
/** overflow: what may be dropped is dropped (`send` says so); releases are always queued. */
const INPUT_BUFFERED_LIMIT = 65536;
/** A host that says nothing for so long, its answers to pings included, is not reached this way any more. */
const SILENCE_MS = 6000;

/**
 * What the ways by a WebSocket have in common: the socket, input over it, and whether it still leads anywhere.
 *
 * Events as those of a `Peer`: `state`, `channel`, `message` (ArrayBuffer); and `canvas` (it has its first picture), `refused`
 * (`{code, message, retry_after}`), `undecodable`.
 */
export class SocketPeer extends EventTarget {
  /** @type {string | null} the host's name for it */
  id = null;
  closed = false;
  #socket;
  #heard;
  #heardBefore;
  #watch = 0;

  /**
   * @param {string} url @param {string} protocol @param {import('./signalling.js').Env} env
   * @param {import('./begun.js').Opening} [begun] a socket to this URL that is opening already
   */
  constructor(url, protocol, env, begun) {
    super();
    this.env = env;
    this.#heard = env.now();
    const socket = begun?.socket ?? new env.WebSocket(url, protocol);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => data instanceof ArrayBuffer && this.#message(data);
    socket.onclose = () => this.lost();
    this.#heardBefore = begun?.heard ?? [];
    this.#listen();
  }

  /** Tells what came by a socket that was begun, to who listens only now. */
  retell() {
    for (const { data } of this.#heardBefore.splice(0))
      if (!this.closed && data instanceof ArrayBuffer) this.#message(data);
    if (this.#socket.readyState > 1) this.lost();
  }

  /** The host has let it in. @param {import('./media-frames.js').Opened} _opened */
  opened(_opened) {}

  /** Some of the picture has come. @param {import('./media-frames.js').MediaMessage} _message @param {number} _bytes */
  came(_message, _bytes) {}

  /** Whether it can be steered by. */
  get ready() {
    return this.id !== null && this.#socket.readyState === 1;
  }

  get state() {
    return this.closed ? 'closed' : this.ready ? 'connected' : 'connecting';
  }

  /** The networks have changed: whether it leads anywhere is soon known. @param {number} within ms */
  suspect(within) {
    this.#heard = Math.min(this.#heard, this.env.now() - SILENCE_MS + within);
    this.#listen();
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} frame
   * @param {'moves' | 'droppable' | 'reliable'} how
   * @returns {boolean} whether it was handed to the socket
   */
  send(frame, how) {
    if (!this.ready) return false;
    const { bufferedAmount } = this.#socket;
    if (how === 'moves' && bufferedAmount > MOVES_BUFFERED_LIMIT) return false;
    if (how === 'droppable' && bufferedAmount > INPUT_BUFFERED_LIMIT) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Says something about the picture. @param {Uint8Array<ArrayBuffer>} bytes */
  say(bytes) {
    this.#socket.send(bytes);
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.env.clearTimeout(this.#watch);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  /** It leads nowhere any more. */
  lost() {
    this.emit('state', 'failed');
  }

  get time() {
    return Math.floor(this.env.now());
  }

  /** @param {string} type @param {unknown} detail */
  emit(type, detail) {
    if (!this.closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {ArrayBuffer} data */
  #message(data) {
    this.#heard = this.env.now();
    const message = decodeMedia(data);
    if (message?.type === 'frame' || message?.type === 'rfb') this.came(message, data.byteLength);
    else if (message?.type === 'opened') {
      if (this.id) return;
      this.id = message.peer_id;
      this.opened(message);
      this.emit('channel', null);
    } else if (message?.type === 'refused') this.emit('refused', message);
    else if (message) this.emit('message', data);
  }

  #listen() {
    this.env.clearTimeout(this.#watch);
    // A page that nobody sees is sent nothing, and its timers are late.
    if (!this.env.visible()) this.#heard = this.env.now();
    const left = this.#heard + SILENCE_MS - this.env.now();
    if (left <= 0) this.lost();
    else this.#watch = this.env.setTimeout(() => this.#listen(), left);
  }
}
