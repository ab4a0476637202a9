import { containedBox, onPicture, picturePoint } from './geometry.js';
import { WheelScale } from './wheel.js';

/** @typedef {(event: import('./frames.js').InputEvent) => boolean} Send */

/** Bit of `MouseEvent.buttons` for each DOM button number. */
const BUTTON_BITS = [1, 4, 2, 8, 16];
/** Moves closer together than this are left out; the one that ends a movement is always sent. */
const MOVE_EVERY_MS = 4;

/**
 * Which buttons changed between two values of `MouseEvent.buttons`, releases first.
 * @param {number} before @param {number} after
 * @returns {{number: number, pressed: boolean}[]}
 */
export function buttonChanges(before, after) {
  const changes = BUTTON_BITS.flatMap((bit, number) =>
    (before & bit) === (after & bit) ? [] : [{ number, pressed: (after & bit) !== 0 }],
  );
  return changes.sort((a, b) => Number(a.pressed) - Number(b.pressed));
}

/**
 * Pointer and wheel events of the picture, as frames. Chorded buttons come as changes of `buttons`, not as events
 * of their own, so every event is compared with the last.
 */
export class PointerInput {
  #buttons = 0;
  /** Whether the pointer was beside the picture when it moved last. */
  #outside = true;
  #lastMove = -Infinity;
  /** Where the last move sent was. */
  #at = { x: -1, y: -1 };
  #wheel = new WheelScale();
  #abort = new AbortController();

  /**
   * @param {HTMLVideoElement} video @param {Send} send @param {() => void} onActivity
   * @param {() => {width: number, height: number}} [size] of the picture, in its pixels
   */
  constructor(
    video,
    send,
    onActivity,
    size = () => ({ width: video.videoWidth, height: video.videoHeight }),
  ) {
    this.video = video;
    this.size = size;
    this.send = send;
    this.onActivity = onActivity;
    const options = { signal: this.#abort.signal };
    /** @param {string} type @param {(event: PointerEvent) => void} run */
    const on = (type, run) =>
      video.addEventListener(type, event => run(/** @type {PointerEvent} */ (event)), options);
    on('pointerdown', event => this.#down(event));
    on('pointerup', event => this.#buttonsNow(event));
    on('pointermove', event => this.#moved(event, true));
    // Not aligned to the page's frames: up to 16 ms earlier than `pointermove`.
    if ('onpointerrawupdate' in video) on('pointerrawupdate', event => this.#moved(event, false));
    on('pointercancel', () => this.reset());
    on('lostpointercapture', event => event.buttons === 0 && this.#buttonsNow(event));
    for (const type of ['contextmenu', 'auxclick', 'mousedown', 'mouseup', 'dragstart']) {
      on(type, event => event.preventDefault());
    }
    video.addEventListener('wheel', event => this.#wheeled(event), { ...options, passive: false });
  }

  /** Forgets held buttons; the caller tells the host to release them. */
  reset() {
    const held = this.#buttons !== 0;
    this.#buttons = 0;
    if (held) this.send({ type: 'release_all' });
  }

  /** The host was told to release everything already. */
  forget() {
    this.#buttons = 0;
    this.#at = { x: -1, y: -1 };
  }

  stop() {
    this.#abort.abort();
  }

  get #picture() {
    const { width, height } = this.size();
    return containedBox(this.video.getBoundingClientRect(), width, height);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    // A touch's later mouse events. Those of a mouse are needed: only `mouseup` keeps Back and Forward from leaving the page.
    if (event.pointerType !== 'mouse') event.preventDefault();
    if (this.#buttons === 0 && !onPicture(event.clientX, event.clientY, this.#picture)) return;
    try {
      this.video.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is gone already (a very short touch).
    }
    this.#buttonsNow(event);
  }

  /** @param {PointerEvent} event */
  #buttonsNow(event) {
    if (!event.isPrimary) return;
    const changes = buttonChanges(this.#buttons, event.buttons);
    if (changes.length === 0) return;
    this.onActivity();
    const point = picturePoint(event.clientX, event.clientY, this.#picture);
    for (const change of changes) this.send({ type: 'button', ...change, ...point });
    this.#buttons = event.buttons;
  }

  /** @param {PointerEvent} event @param {boolean} aligned */
  #moved(event, aligned) {
    if (!event.isPrimary) return;
    if (event.buttons !== this.#buttons && this.#buttons !== 0) this.#buttonsNow(event);
    if (!aligned && event.timeStamp - this.#lastMove < MOVE_EVERY_MS) return;
    const picture = this.#picture;
    const outside = !onPicture(event.clientX, event.clientY, picture);
    // Where it leaves the picture is the edge, at which programs, and windows too large for the display, wait for it.
    if (this.#buttons === 0 && outside && this.#outside) return;
    this.#outside = outside;
    this.#lastMove = event.timeStamp;
    const point = picturePoint(event.clientX, event.clientY, picture);
    // The same movement is reported twice, raw and aligned.
    if (point.x === this.#at.x && point.y === this.#at.y) return;
    this.onActivity();
    if (this.send({ type: 'move', ...point })) this.#at = point;
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    event.preventDefault();
    const picture = this.#picture;
    if (!onPicture(event.clientX, event.clientY, picture)) return;
    const { dx, dy } = this.#wheel.add(event);
    if (dx === 0 && dy === 0) return;
    this.onActivity();
    this.send({ type: 'wheel', dx, dy, ...picturePoint(event.clientX, event.clientY, picture) });
  }
}
