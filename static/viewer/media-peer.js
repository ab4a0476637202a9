import { Decoding } from './decoding.js';
import { keyFrame, MEDIA_SUBPROTOCOL, taken } from './media-frames.js';
import { SocketPeer } from './socket-peer.js';
import { complete } from './stats.js';

export { mediaUrl } from './media-frames.js';

/** A key frame that was asked for and has not come is asked for again. */
const KEY_EVERY_MS = 1000;

/**
 * The picture and the input by a WebSocket, for where WebRTC finds no path: the same frames, decoded by WebCodecs and drawn on a
 * canvas.
 *
 * Events beside those of a `SocketPeer`: `frame` (ShownFrame, of a frame that is seen).
 */
export class MediaPeer extends SocketPeer {
  /** @type {'websocket'} */
  kind = 'websocket';
  canvas;
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
  #asking = 0;

  /**
   * @param {string} url @param {import('./signalling.js').Env} env
   * @param {import('./begun.js').Opening} [begun] a socket to this URL that is opening already
   */
  constructor(url, env, begun) {
    super(url, MEDIA_SUBPROTOCOL, env, begun);
    this.canvas = /** @type {HTMLCanvasElement} */ (env.canvas?.());
    this.#brush = this.canvas.getContext('2d', { alpha: false });
  }

  get codec() {
    return this.#decoding?.codec ?? '';
  }

  close() {
    this.env.clearTimeout(this.#asking);
    this.#decoding?.close();
    super.close();
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

  /** @param {import('./media-frames.js').Opened} opened */
  opened({ codec }) {
    this.#decoding = new Decoding(/** @type {import('./media-frames.js').Codec} */ (codec), this.env, {
      show: (frame, since) => this.#show(frame, since),
      stuck: () => this.#askForKey(),
      failed: () => this.emit('undecodable', null),
    });
    // How long this takes is what the host compares later messages with.
    this.say(taken(0, this.time));
  }

  /** @param {import('./media-frames.js').MediaMessage} picture @param {number} bytes of the message */
  came(picture, bytes) {
    const decoding = this.#decoding;
    if (!decoding || picture.type !== 'frame') return;
    this.#came += 1;
    this.#bytes += bytes;
    decoding.push(picture);
    this.#tell();
  }

  /** What the decoder does not keep up with, the host is not told to have been taken. */
  #tell() {
    if (this.closed || this.#told === this.#came || !this.#decoding?.keepsUp) return;
    this.#told = this.#came;
    this.say(taken(this.#came, this.time));
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
    if (this.#drawn === 1) this.emit('canvas', canvas);
    this.#tell();
  }

  /** What was drawn last is on the screen. @param {number} at ms */
  #seen(at) {
    const frame = this.#last;
    this.#last = null;
    if (frame) this.emit('frame', { ...frame, presented: Math.max(frame.submitted, at) });
  }

  #askForKey() {
    this.env.clearTimeout(this.#asking);
    if (this.closed || !this.#decoding?.needsKey || !this.ready) return;
    this.say(keyFrame(this.time));
    this.#asking = this.env.setTimeout(() => this.#askForKey(), KEY_EVERY_MS);
  }
}
