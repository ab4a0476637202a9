/**
 * Keeps the page's frames running while the user is active. A compositor that has gone to sleep over a still picture
 * needs a frame or more to wake up, and that would be added to the answer to a click.
 */
export class FrameClock {
  #until = 0;
  #running = false;

  /**
   * @param {(run: (now: number) => void) => unknown} requestFrame
   * @param {() => number} now ms
   * @param {number} [lingerMs] how long after the last activity
   */
  constructor(requestFrame, now, lingerMs = 1000) {
    this.requestFrame = requestFrame;
    this.now = now;
    this.lingerMs = lingerMs;
  }

  get running() {
    return this.#running;
  }

  /** The user did something. */
  poke() {
    this.#until = this.now() + this.lingerMs;
    if (this.#running) return;
    this.#running = true;
    this.#next();
  }

  #next() {
    this.requestFrame(() => {
      if (this.now() < this.#until) this.#next();
      else this.#running = false;
    });
  }
}
