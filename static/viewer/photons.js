import { Samples } from './samples.js';

/** A press that nothing has shown after this time shows nothing, ms; the host gives up before. */
const WITHIN_MS = 6000;
/** overflow: the oldest goes, and is not measured. */
const MOST_PRESSES = 32;
/** Frames that are remembered: what a press did may be on the screen before the host's word of it. overflow: the oldest goes. */
const MOST_FRAMES = 64;
/** Answers that are remembered. overflow: the oldest goes. */
const MOST_ANSWERS = 128;
/** RTP time is coarser than the host's, µs. */
const COARSE_US = 100;
/** An age by which a frame is shown before it was grabbed is the clocks' inaccuracy, down to this, ms. */
const INACCURATE_MS = 20;

/**
 * A frame that was shown; times of the page's clock, ms.
 * @typedef {object} ShownFrame
 * @property {number} ptsUs when it was grabbed, by the host's clock
 * @property {number | null} received when its last byte came, where the browser says
 * @property {number} submitted when it was decoded and handed on to be drawn
 * @property {number} presented when it was seen
 */

/**
 * The host's word that a frame is the first to show a change after a press; times of its clock, µs.
 * @typedef {object} Told
 * @property {number} seq the press's number
 * @property {number} ptsUs the frame's time
 * @property {number[]} timesUs the press came, was injected; the change was heard of, grabbed, converted, encoded, came to the
 *   host, was handed to the network
 */

/**
 * The way of a press and of what it did, in its order: times of the page's clock, ms; those of the host as well as its clock is
 * known.
 * @typedef {{sent: number, heard: number, injected: number, changed: number, begun: number, grabbed: number, converted: number,
 *   encoded: number, host: number, handed: number, received: number | null, submitted: number, presented: number}} Answer
 */

/** How long it takes until something is seen. @typedef {{click: import('./samples.js').Figures | null, glass: import('./samples.js').Figures | null}} Delays */

/**
 * Joins what was pressed, what the host says of it and what was shown to what a user feels: click to photon from the moment in
 * which a press is sent to that in which the first picture with a change after it is seen, glass to glass from the grab of a
 * picture to that. Pure.
 */
export class Photons {
  #click = new Samples();
  #glass = new Samples();
  /** @type {Map<number, {at: number, told: Told | null}>} */
  #presses = new Map();
  /** @type {ShownFrame[]} */
  #frames = [];
  /** The latest, oldest first. @type {Answer[]} */
  answers = [];

  /** Whether a press waits for its picture. @param {number} now ms */
  waits(now) {
    for (const [seq, { at }] of this.#presses)
      if (!(now - at >= 0 && now - at < WITHIN_MS)) this.#presses.delete(seq);
    return this.#presses.size > 0;
  }

  /** A press was sent. @param {number} seq @param {number} now ms */
  pressed(seq, now) {
    this.waits(now);
    if (this.#presses.size >= MOST_PRESSES) this.#presses.delete([...this.#presses.keys()][0]);
    this.#presses.set(seq, { at: now, told: null });
  }

  /** @param {Told} told @param {number | null} offset what the host's clock is ahead, ms @param {number} now ms */
  told(told, offset, now) {
    const press = this.#presses.get(told.seq);
    if (!press) return;
    press.told = told;
    this.#join(offset, now);
  }

  /** @param {ShownFrame} frame @param {number | null} offset what the host's clock is ahead, ms @param {number} now ms */
  shown(frame, offset, now) {
    this.#frames.push(frame);
    if (this.#frames.length > MOST_FRAMES) this.#frames.shift();
    if (offset !== null) {
      const age = frame.presented + offset - frame.ptsUs / 1000;
      if (age > -INACCURATE_MS) this.#glass.add(Math.max(0, age), now);
    }
    this.#join(offset, now);
  }

  /** Another connection: what waits is answered by nothing of it. */
  forget() {
    this.#presses.clear();
    this.#frames = [];
  }

  /** Of the last minute. @param {number} now ms @returns {Delays} */
  figures(now) {
    return { click: this.#click.figures(now), glass: this.#glass.figures(now) };
  }

  /** @param {number | null} offset @param {number} now */
  #join(offset, now) {
    for (const [seq, { at, told }] of this.#presses) {
      if (!told) continue;
      const frame = this.#frames.find(
        ({ ptsUs, presented }) => ptsUs >= told.ptsUs - COARSE_US && presented >= at,
      );
      if (!frame) continue;
      this.#presses.delete(seq);
      this.#click.add(frame.presented - at, now);
      if (offset === null) continue;
      this.answers.push(answer(at, told, frame, offset));
      if (this.answers.length > MOST_ANSWERS) this.answers.shift();
    }
  }
}

/** @param {number} sent @param {Told} told @param {ShownFrame} frame @param {number} offset @returns {Answer} */
function answer(sent, told, frame, offset) {
  const [heard, injected, changed, grabbed, converted, encoded, host, handed] = told.timesUs.map(
    us => us / 1000 - offset,
  );
  const begun = told.ptsUs / 1000 - offset;
  const { received, submitted, presented } = frame;
  return {
    sent,
    heard,
    injected,
    changed,
    begun,
    grabbed,
    converted,
    encoded,
    host,
    handed,
    received,
    submitted,
    presented,
  };
}
