import { formatOf } from './media-frames.js';

/** @typedef {import('./media-frames.js').Codec} Codec */

/** overflow: a decoder with more frames than this before it is behind: what comes is left out, up to the next key frame. */
const MOST_WAITING = 8;
/** A decoder with no more than this before it keeps up. */
const FEW_WAITING = 2;
/** So many failures in a row: this browser does not decode it, whatever it says. */
const MOST_FAILURES = 5;

/** What colours mean that a stream says nothing of, or not enough; browsers differ in what they take them for. */
const colorSpace = /** @type {VideoColorSpaceInit} */ ({
  primaries: 'bt709',
  transfer: 'bt709',
  matrix: 'smpte170m',
  fullRange: false,
});

/** How each is decoded. */
const SETTINGS = Object.freeze({
  h264: { optimizeForLatency: true },
  'h264-444': { optimizeForLatency: true },
  vp8: { optimizeForLatency: true, colorSpace },
  vp9: { optimizeForLatency: true, colorSpace },
  av1: { optimizeForLatency: true, colorSpace },
});

/**
 * @typedef {object} Hooks
 * @property {(frame: VideoFrame, since: number) => void} show has to close the frame; since when it was in the decoder, ms
 * @property {() => void} stuck nothing can be shown before a key frame
 * @property {() => void} failed this browser does not decode the stream
 */

/**
 * Decodes the frames of one stream (W3C WebCodecs). It survives: a decoder that fails (another one goes on from the next key
 * frame), one that is too slow (frames are left out), a stream that changes its size or format.
 */
export class Decoding {
  /** Frames that were left out. */
  dropped = 0;
  /** How often nothing could be shown before a key frame. */
  stalls = 0;
  decoded = 0;
  /** Milliseconds that frames have spent in the decoder, together. */
  decodeTime = 0;
  /** @type {VideoDecoder | null} */
  #decoder = null;
  #format = '';
  #needsKey = true;
  #failures = 0;
  /** When frames went in: by their time stamps, in their order. @type {[number, number][]} */
  #inside = [];

  /**
   * @param {Codec} codec
   * @param {{VideoDecoder?: typeof VideoDecoder, EncodedVideoChunk?: typeof EncodedVideoChunk, now: () => number}} env
   * @param {Hooks} hooks
   */
  constructor(codec, env, hooks) {
    this.codec = codec;
    this.env = env;
    this.hooks = hooks;
  }

  /** Whether it waits for a key frame. */
  get needsKey() {
    return this.#needsKey;
  }

  /** Whether it keeps up with what comes. */
  get keepsUp() {
    return (this.#decoder?.decodeQueueSize ?? 0) <= FEW_WAITING;
  }

  /** @param {import('./media-frames.js').Picture} picture */
  push({ key, ptsUs, data }) {
    const { EncodedVideoChunk } = this.env;
    if (!EncodedVideoChunk) return;
    if (!key && !this.#needsKey && (this.#decoder?.decodeQueueSize ?? 0) >= MOST_WAITING) this.#stall();
    if (key ? !this.#begin(data) : this.#needsKey) {
      this.dropped += 1;
      return;
    }
    try {
      this.#inside.push([ptsUs, this.env.now()]);
      if (this.#inside.length > 4 * MOST_WAITING) this.#inside.shift();
      this.#decoder?.decode(new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: ptsUs, data }));
    } catch {
      this.#broken();
    }
  }

  close() {
    const decoder = this.#decoder;
    this.#decoder = null;
    if (decoder && decoder.state !== 'closed') decoder.close();
  }

  /** Makes ready for a key frame; says whether it can be decoded. @param {Uint8Array} data */
  #begin(data) {
    const { VideoDecoder } = this.env;
    const format = formatOf(this.codec, data) ?? this.#format;
    if (!VideoDecoder || !format) return false;
    try {
      if (!this.#decoder || this.#decoder.state === 'closed') {
        const decoder = new VideoDecoder({
          output: frame => this.#shown(frame),
          error: () => decoder === this.#decoder && this.#broken(),
        });
        this.#decoder = decoder;
        this.#format = '';
      }
      if (format !== this.#format) this.#decoder.configure({ codec: format, ...SETTINGS[this.codec] });
      this.#format = format;
      this.#needsKey = false;
      return true;
    } catch {
      this.#broken();
      return false;
    }
  }

  /** @param {VideoFrame} frame */
  #shown(frame) {
    this.#failures = 0;
    this.decoded += 1;
    const at = this.#inside.findIndex(([pts]) => pts === frame.timestamp);
    const now = this.env.now();
    const since = at >= 0 ? this.#inside[at][1] : now;
    this.decodeTime += now - since;
    this.#inside.splice(0, at + 1);
    this.hooks.show(frame, since);
  }

  #stall() {
    this.#needsKey = true;
    this.stalls += 1;
    this.hooks.stuck();
  }

  #broken() {
    this.close();
    this.#inside = [];
    this.#failures += 1;
    if (this.#failures >= MOST_FAILURES) this.hooks.failed();
    else this.#stall();
  }
}
