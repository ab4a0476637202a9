import { splitText } from './frames.js';
import { usageOf } from './hid.js';
import { keysymOf } from './keysym.js';

/** @typedef {(event: import('./frames.js').InputEvent) => boolean} Send */
/**
 * @typedef {Pick<KeyboardEvent, 'key'|'code'|'location'|'ctrlKey'|'altKey'|'shiftKey'|'metaKey'>} Key
 */

/** Keys that the browser keeps anyway or that its user must not lose. @param {Key} event @param {boolean} locked */
export function isReserved(event, locked) {
  if (event.key === 'F11' || event.key === 'F12') return true;
  if (locked) return false;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.shiftKey && ['KeyI', 'KeyJ', 'KeyN', 'KeyT', 'KeyW'].includes(event.code)) return true;
  return command && !event.altKey && ['KeyN', 'KeyT', 'KeyW'].includes(event.code);
}

/** The way out of the picture without a mouse: Ctrl+Alt+Escape. @param {Key} event */
export const isWayOut = event => event.key === 'Escape' && event.ctrlKey && event.altKey;

/**
 * Keyboard events of a text field as frames: keys by HID usage and keysym, composed text as text. Only the first press of
 * a key is sent; the display repeats by itself.
 */
export class KeyboardInput {
  /** Held keys, by code. @type {Map<string, {usage: number, keysym: number}>} */
  #held = new Map();
  #abort = new AbortController();
  /** Whether the browser hands over its own shortcuts too (Keyboard Lock). */
  locked = false;

  /**
   * @param {HTMLTextAreaElement} field @param {Send} send @param {() => void} onActivity @param {() => void} onWayOut
   */
  constructor(field, send, onActivity, onWayOut) {
    this.field = field;
    this.send = send;
    this.onActivity = onActivity;
    this.onWayOut = onWayOut;
    const options = { signal: this.#abort.signal };
    field.addEventListener('keydown', event => this.down(event), options);
    field.addEventListener('keyup', event => this.up(event), options);
    field.addEventListener('compositionend', event => this.#text(event.data), options);
    field.addEventListener('input', event => this.#typed(/** @type {InputEvent} */ (event)), options);
    field.addEventListener('paste', event => event.preventDefault(), options);
  }

  /** Nothing is held any more; the caller tells the host. */
  forget() {
    this.#held.clear();
    this.field.value = '';
  }

  stop() {
    this.#abort.abort();
  }

  /** @param {KeyboardEvent} event */
  down(event) {
    // 229: an input method has this key; what it makes of it arrives as text.
    if (event.isComposing || event.keyCode === 229 || event.key === 'Dead' || event.key === 'Process') return;
    if (isWayOut(event)) {
      event.preventDefault();
      this.onWayOut();
      return;
    }
    if (isReserved(event, this.locked)) return;
    const usage = usageOf(event.code);
    const keysym = keysymOf(event.key, event.location);
    // Soft keyboards know neither: their text comes by `input`.
    if (usage === 0 && keysym === 0) return;
    event.preventDefault();
    this.onActivity();
    const id = event.code || event.key;
    if (event.repeat || this.#held.has(id)) return;
    if (this.send({ type: 'key', pressed: true, usage, keysym })) this.#held.set(id, { usage, keysym });
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    const id = event.code || event.key;
    const key = this.#held.get(id);
    if (key) {
      event.preventDefault();
      this.onActivity();
      this.#release(id, key);
    }
    // macOS sends no keyup for keys pressed together with Command.
    if (event.key === 'Meta') for (const [other, held] of this.#held) this.#release(other, held);
  }

  /** @param {string} id @param {{usage: number, keysym: number}} key */
  #release(id, key) {
    this.#held.delete(id);
    this.send({ type: 'key', pressed: false, ...key });
  }

  /** @param {InputEvent} event */
  #typed(event) {
    if (event.isComposing || event.inputType === 'insertCompositionText') return;
    if (event.inputType === 'insertText' && event.data) this.#text(event.data);
    else this.field.value = '';
  }

  /** @param {string} text */
  #text(text) {
    this.field.value = '';
    if (text) this.onActivity();
    for (const part of splitText(text)) this.send({ type: 'text', text: part });
  }
}
