/**
 * Wheel deltas in 1/120 notches, whatever unit the browser reports them in. Pure but for the fractions it keeps.
 */

/** One notch of a mouse wheel. */
const NOTCH = 120;
const PIXELS_PER_NOTCH = 100;
const LINES_PER_NOTCH = 3;
const NOTCHES_PER_PAGE = 8;

/**
 * @typedef {object} WheelLike
 * @property {number} deltaX
 * @property {number} deltaY
 * @property {number} deltaMode 0 pixels, 1 lines, 2 pages
 * @property {number} [wheelDeltaX] Chromium and Safari: 120 a notch, sign turned round
 * @property {number} [wheelDeltaY]
 */

/**
 * @param {number} delta @param {number} mode @param {number | undefined} legacy
 * @returns {number} 1/120 notches, not rounded
 */
function axis(delta, mode, legacy) {
  if (delta === 0) return 0;
  if (mode === 1) return (delta / LINES_PER_NOTCH) * NOTCH;
  if (mode === 2) return delta * NOTCHES_PER_PAGE * NOTCH;
  // How many pixels a notch has differs between systems; the legacy value counts notches exactly. A touchpad
  // also has one, with 40 pixels to 120 units, and is better served by its pixels.
  if (legacy && legacy % NOTCH === 0 && Math.abs(delta / legacy) * NOTCH >= 50) return -legacy;
  return (delta / PIXELS_PER_NOTCH) * NOTCH;
}

/** Adds up fractions of 1/120 notch, so that slow touchpads lose nothing. */
export class WheelScale {
  #x = 0;
  #y = 0;

  /**
   * @param {WheelLike} event
   * @returns {{dx: number, dy: number}} whole 1/120 notches; positive is right and down, as in the DOM
   */
  add(event) {
    this.#x += axis(event.deltaX, event.deltaMode, event.wheelDeltaX);
    this.#y += axis(event.deltaY, event.deltaMode, event.wheelDeltaY);
    const dx = Math.trunc(this.#x);
    const dy = Math.trunc(this.#y);
    this.#x -= dx;
    this.#y -= dy;
    return { dx: dx || 0, dy: dy || 0 };
  }
}
