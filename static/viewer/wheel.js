/**
 * Wheel deltas in 1/120 notches, whatever unit the browser reports them in. Pure but for the fractions it keeps.
 */

/** One notch of a mouse wheel. */
const NOTCH = 120;
const PIXELS_PER_NOTCH = 100;
/** What a Mac calls a tenth of a line, its least for a wheel with notches; touchpads have whole pixels there. */
const MAC_STEP = 4.000244140625;
/** After an event of a touchpad, others like it come for a while. */
const TOUCHPAD_MS = 250;
const LINES_PER_NOTCH = 3;
const NOTCHES_PER_PAGE = 8;

/**
 * @typedef {object} WheelLike
 * @property {number} deltaX
 * @property {number} deltaY
 * @property {number} deltaMode 0 pixels, 1 lines, 2 pages
 * @property {number} [timeStamp] ms
 * @property {number} [wheelDeltaX] Chromium and Safari: 120 a notch, sign turned round
 * @property {number} [wheelDeltaY]
 */

/** Whether this is a wheel with notches on a Mac: one event a notch, faster turning makes it larger. @param {number} delta */
function isMacNotch(delta) {
  const steps = Math.abs(delta) / MAC_STEP;
  return steps > 0.99 && !Number.isInteger(delta) && Math.abs(steps - Math.round(steps)) < 0.002;
}

/** Whether the legacy value counts whole notches. @param {number | undefined} legacy */
const isWhole = legacy => legacy !== undefined && legacy !== 0 && legacy % NOTCH === 0;

/** Adds up fractions of 1/120 notch, so that slow touchpads lose nothing. */
export class WheelScale {
  #x = 0;
  #y = 0;
  #touchpadAt = -Infinity;

  /**
   * @param {WheelLike} event
   * @returns {{dx: number, dy: number}} whole 1/120 notches; positive is right and down, as in the DOM
   */
  add(event) {
    // First: Firefox tells of lines only to those who ask before they look at the deltas.
    const mode = event.deltaMode;
    const { deltaX, deltaY, wheelDeltaX, wheelDeltaY, timeStamp = 0 } = event;
    const fine = [
      [deltaX, wheelDeltaX],
      [deltaY, wheelDeltaY],
    ].some(([delta, legacy]) => delta && !isWhole(legacy) && !isMacNotch(delta));
    if (mode === 0 && fine) this.#touchpadAt = timeStamp;
    const touchpad = timeStamp - this.#touchpadAt < TOUCHPAD_MS;
    this.#x += axis(deltaX, mode, wheelDeltaX, touchpad);
    this.#y += axis(deltaY, mode, wheelDeltaY, touchpad);
    const dx = Math.trunc(this.#x);
    const dy = Math.trunc(this.#y);
    this.#x -= dx;
    this.#y -= dy;
    return { dx: dx || 0, dy: dy || 0 };
  }
}

/**
 * @param {number} delta @param {number} mode @param {number | undefined} legacy @param {boolean} touchpad
 * @returns {number} 1/120 notches, not rounded
 */
function axis(delta, mode, legacy, touchpad) {
  if (delta === 0) return 0;
  if (mode === 1) return (delta / LINES_PER_NOTCH) * NOTCH;
  if (mode === 2) return delta * NOTCHES_PER_PAGE * NOTCH;
  const pixels = (delta / PIXELS_PER_NOTCH) * NOTCH;
  // Touchpads have a legacy value, too, three for a pixel, which is a whole notch now and then.
  if (touchpad) return pixels;
  if (isMacNotch(delta))
    return Math.sign(delta) * NOTCH * Math.max(1, Math.floor(Math.abs(delta) / PIXELS_PER_NOTCH));
  // How many pixels a notch has differs between systems and with the page's zoom; the legacy value counts notches.
  if (legacy && isWhole(legacy)) return -legacy;
  return pixels;
}
