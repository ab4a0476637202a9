import { Decoding } from './decoding.js';
import { decodeMedia, keyFrame, taken } from './media-frames.js';
import { complete } from './stats.js';

export { mediaUrl } from './media-frames.js';

export const MEDIA_SUBPROTOCOL = 'heliostat.media.v1';

/** overflow: a move is dropped, the next one carries the newer position anyway. */
const MOVES_BUFFERED_LIMIT = 4096;
/** overflow: what may be dropped is dropped (`send` says so); releases are always queued. */
const INPUT_BUFFERED_LIMIT = 65536;
/** A host that says nothing for so long, its answers to pings included, is not reached this way any more. */
const SILENCE_MS = 6000;
/** A key frame that was asked for and has not come is asked for again. */
const KEY_EVERY_MS = 1000;

/**
 * The picture and the input by a WebSocket, for where WebRTC finds no path: the same frames, decoded by WebCodecs and drawn on a
 * canvas.
 *
 * Events as those of a `Peer`: `state`, `channel`, `message` (ArrayBuffer); and `canvas` (it has its first picture), `refused`
 * (`{code, message, retry_after}`), `undecodable`, `frame` (ShownFrame, of a frame that is seen).
 */
export class MediaPeer extends EventTarget {
  /** @type {'websocket'} */
  kind = 'websocket';
  /** @type {string | null} the host's name for it */
  id = null;
  closed = false;
  canvas;
  #socket;
  /** @type {Decoding | null} */
  #decoding = null;
  #brush;
  /** Frames that came. */
  #came = 0;
  /** How many of them the host knows of. */
  #told = 0;
  #bytes = 0;
  #drawn = 0;
  /** Drawn, and not seen yet. @type {import('./photons.js').ShownFrame | null} */
  #last = null;
  #heard;
  #watch = 0;
  #asking = 0;

  /** @param {string} url @param {import('./signalling.js').Env} env */
  constructor(url, env) {
    super();
    this.env = env;
    this.canvas = /** @type {HTMLCanvasElement} */ (env.canvas?.());
    this.#brush = this.canvas.getContext('2d', { alpha: false });
    this.#heard = env.now();
    const socket = new env.WebSocket(url, MEDIA_SUBPROTOCOL);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => data instanceof ArrayBuffer && this.#message(data);
    socket.onclose = () => this.#lost();
    this.#listen();
  }

  get codec() {
    return this.#decoding?.codec ?? '';
  }

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

  close() {
    if (this.closed) return;
    this.closed = true;
    for (const timer of [this.#watch, this.#asking]) this.env.clearTimeout(timer);
    this.#decoding?.close();
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  /**
   * @param {import('./stats.js').Totals | null} before of the digest before
   * @param {number} at ms
   */
  digest(before, at) {
    const decoding = this.#decoding;
    if (!decoding) return null;
    const totals = {
      at,
      bytes: this.#bytes,
      frames: decoding.decoded,
      packets: 0,
      lost: 0,
      decodeTime: decoding.decodeTime / 1000,
      bufferDelay: 0,
      buffered: 0,
    };
    const { width, height } = this.canvas;
    return complete(totals, before, {
      way: 'websocket',
      width,
      height,
      codec: decoding.codec.toUpperCase(),
      rtt_ms: null,
      dropped: decoding.dropped,
      freezes: decoding.stalls,
      candidate: 'websocket/tcp',
    });
  }

  /** @param {ArrayBuffer} data */
  #message(data) {
    this.#heard = this.env.now();
    const message = decodeMedia(data);
    if (message?.type === 'frame') this.#frame(message, data.byteLength);
    else if (message?.type === 'opened') this.#opened(message);
    else if (message?.type === 'refused') this.#emit('refused', message);
    else if (message) this.#emit('message', data);
  }

  /** @param {{peer_id: string, codec: import('./media-frames.js').Codec}} opened */
  #opened({ peer_id, codec }) {
    if (this.id) return;
    this.id = peer_id;
    this.#decoding = new Decoding(codec, this.env, {
      show: (frame, since) => this.#show(frame, since),
      stuck: () => this.#askForKey(),
      failed: () => this.#emit('undecodable', null),
    });
    // How long this takes is what the host compares later messages with.
    this.#socket.send(taken(0, this.#time));
    this.#emit('channel', null);
  }

  /** @param {import('./media-frames.js').Picture} picture @param {number} bytes of the message */
  #frame(picture, bytes) {
    const decoding = this.#decoding;
    if (!decoding) return;
    this.#came += 1;
    this.#bytes += bytes;
    decoding.push(picture);
    this.#tell();
  }

  /** What the decoder does not keep up with, the host is not told to have been taken. */
  #tell() {
    if (this.closed || this.#told === this.#came || !this.#decoding?.keepsUp) return;
    this.#told = this.#came;
    this.#socket.send(taken(this.#came, this.#time));
  }

  /** @param {VideoFrame} frame @param {number} received ms */
  #show(frame, received) {
    const { canvas } = this;
    const { displayWidth: width, displayHeight: height, timestamp } = frame;
    if (!this.closed) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      this.#brush?.drawImage(frame, 0, 0);
    }
    frame.close();
    if (this.closed) return;
    const now = this.env.now();
    const asked = this.#last !== null;
    this.#last = { ptsUs: timestamp, received, submitted: now, presented: now };
    if (!asked) this.env.nextFrame(at => this.#seen(at));
    this.#drawn += 1;
    if (this.#drawn === 1) this.#emit('canvas', canvas);
    this.#tell();
  }

  /** What was drawn last is on the screen. @param {number} at ms */
  #seen(at) {
    const frame = this.#last;
    this.#last = null;
    if (frame) this.#emit('frame', { ...frame, presented: Math.max(frame.submitted, at) });
  }

  #askForKey() {
    this.env.clearTimeout(this.#asking);
    if (this.closed || !this.#decoding?.needsKey || !this.ready) return;
    this.#socket.send(keyFrame(this.#time));
    this.#asking = this.env.setTimeout(() => this.#askForKey(), KEY_EVERY_MS);
  }

  #listen() {
    this.env.clearTimeout(this.#watch);
    // A page that nobody sees is sent nothing, and its timers are late.
    if (!this.env.visible()) this.#heard = this.env.now();
    const left = this.#heard + SILENCE_MS - this.env.now();
    if (left <= 0) this.#lost();
    else this.#watch = this.env.setTimeout(() => this.#listen(), left);
  }

  #lost() {
    if (!this.closed) this.dispatchEvent(new CustomEvent('state', { detail: 'failed' }));
  }

  get #time() {
    return Math.floor(this.env.now());
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    if (!this.closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
