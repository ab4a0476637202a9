import { copyOf, isOrdered, sequence } from './frames.js';

/**
 * So long after it a frame is sent once more, and again, ms. A channel sends what was lost by itself after half a second, if
 * nothing follows it, and all that comes after waits for it.
 */
const AFTER_MS = [10, 40];
/** Longer frames (text that is pasted) have no copies, bytes. */
const LONGEST = 64;

/** Copies of what goes by `input`, by a channel that waits for nothing. The host takes whichever comes first. */
export class Copies {
  /** The number of the last one that went by `input`. @type {number | null} */
  #before = null;

  /** @param {import('./signalling.js').Env} env @param {(frame: Uint8Array<ArrayBuffer>) => void} send */
  constructor(env, send) {
    this.env = env;
    this.send = send;
  }

  /** A frame went by `input`. @param {Uint8Array<ArrayBuffer>} frame */
  sent(frame) {
    if (!isOrdered(frame)) return;
    const seq = sequence(frame);
    // The first one says itself.
    const before = this.#before ?? seq;
    this.#before = seq;
    if (frame.length > LONGEST) return;
    const copy = copyOf(frame, before);
    for (const after of AFTER_MS) this.env.setTimeout(() => this.send(copy), after);
  }
}
