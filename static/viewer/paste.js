/** The most that is typed at once, in characters: beyond that a file is meant. */
export const MAX_PASTE = 256 * 1024;
/** A browser that pastes says so at once; without a word after this the key is the program's. */
const WAIT_MS = 120;

/**
 * Whose clipboard a paste means. The program has one of its own, which the browser's knows nothing of: after a copy
 * inside the program a plain Ctrl+V is the program's, until something else was copied outside.
 */
export class Clipboards {
  #inside = false;
  #away = false;
  /** What the browser's held when it was seen last. @type {string | null} */
  #known = null;

  /** The program was told to copy. */
  copied() {
    this.#inside = true;
    this.#away = false;
  }

  /** The user has left the picture, maybe to copy elsewhere. */
  left() {
    this.#away = true;
  }

  /**
   * The browser pastes this; whether its clipboard is the one that is meant.
   * @param {string} text
   */
  isOurs(text) {
    const programs = this.#inside && (!this.#away || text === this.#known);
    this.#known = text;
    if (!programs) this.#inside = false;
    return !programs;
  }
}

/** A key at which the browser probably pastes: it is the program's only where the browser does not. */
export class Expected {
  #timer = 0;
  /** @type {{id: string, sure: boolean, up: boolean, press: (tap: boolean) => void} | null} */
  #pending = null;

  /** Whether a key is on hold, and by which chord. @returns {'sure' | 'plain' | null} */
  get chord() {
    return this.#pending && (this.#pending.sure ? 'sure' : 'plain');
  }

  /** @param {string} id of the key @param {boolean} sure @param {(tap: boolean) => void} press tap: it is up again */
  hold(id, sure, press) {
    this.settle();
    this.#pending = { id, sure, up: false, press };
    this.#timer = /** @type {any} */ (setTimeout(() => this.settle(), WAIT_MS));
  }

  /** A key was released. @param {string} id */
  up(id) {
    if (this.#pending?.id === id) this.#pending.up = true;
    // A modifier of the chord, probably: the key was meant with it.
    else this.settle();
  }

  /** The browser pasted: the key is used up. */
  drop() {
    clearTimeout(this.#timer);
    this.#pending = null;
  }

  /** The key is the program's after all. */
  settle() {
    const pending = this.#pending;
    this.drop();
    pending?.press(pending.up);
  }
}

/** Lines end in one character, as Enter does. @param {string} text */
export const pastedText = text => text.replace(/\r\n?/g, '\n');
