import { frameTime } from './host-clock.js';

/** While nothing is waited for, a frame is looked at so often, ms: what is seen of them all costs the browser next to nothing. */
const NOW_AND_THEN_MS = 100;
/** A page whose frame begins this long after that of a video was busy, and the video was seen before, ms. */
const BUSY_MS = 50;

/**
 * What browsers say of a frame (requestVideoFrameCallback, WICG); those without `rtpTimestamp` say nothing that helps.
 * @typedef {{presentationTime: number, receiveTime?: number, rtpTimestamp?: number}} Metadata
 */

/** Looks at the frames that a video shows: at each while somebody waits for one, else now and then. */
export class FrameWatch {
  #timer = 0;
  #asked = 0;
  #running = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {(metadata: Metadata, at: number) => void} seen and when the page's frame began in which it was, ms
   * @param {() => boolean} waits whether each frame counts
   */
  constructor(video, seen, waits) {
    this.video = video;
    this.seen = seen;
    this.waits = waits;
  }

  start() {
    // Not in every browser.
    if (this.#running || !this.video.requestVideoFrameCallback) return;
    this.#running = true;
    this.#next();
  }

  stop() {
    if (!this.#running) return;
    this.#running = false;
    clearTimeout(this.#timer);
    this.video.cancelVideoFrameCallback(this.#asked);
  }

  /** Each frame counts from now on. */
  poke() {
    if (!this.#running || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#next();
  }

  #next() {
    this.#timer = 0;
    this.#asked = this.video.requestVideoFrameCallback((at, metadata) => {
      this.seen(metadata, at);
      if (!this.#running) return;
      if (this.waits()) this.#next();
      else this.#timer = window.setTimeout(() => this.#next(), NOW_AND_THEN_MS);
    });
  }
}

/**
 * What a browser says of a frame, in the host's time; null where it does not say which it is, or that is not known yet. Seen it is
 * with the frame of the page, as what is drawn on a canvas. Pure.
 * @param {Metadata} metadata @param {number} at when the page's frame began, ms
 * @param {number | null} rtpOffset the RTP time of the host's time 0
 * @param {number | null} offset what the host's clock is ahead, ms
 * @param {number} now ms
 * @returns {import('./photons.js').ShownFrame | null}
 */
export function shownFrame(metadata, at, rtpOffset, offset, now) {
  const { rtpTimestamp, receiveTime, presentationTime } = metadata;
  if (rtpTimestamp === undefined || rtpOffset === null || offset === null) return null;
  const wait = at - presentationTime;
  return {
    ptsUs: frameTime(rtpTimestamp, rtpOffset, (now + offset) * 1000),
    received: receiveTime ?? null,
    submitted: presentationTime,
    presented: wait >= 0 && wait < BUSY_MS ? at : presentationTime,
  };
}
