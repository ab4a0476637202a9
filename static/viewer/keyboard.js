import { splitText } from './frames.js';
import { usageOf } from './hid.js';
import * as keys from './keys.js';
import { keysymOf } from './keysym.js';
import { mended, modifierOf } from './modifiers.js';
import { Clipboards, Expected, MAX_PASTE, pastedText } from './paste.js';
import { SoftField } from './soft-field.js';

/** @typedef {import('./keys.js').Key} Key */
/** @typedef {import('./modifiers.js').Modifier} Modifier */
/** @typedef {{usage: number, keysym: number}} Named */

/**
 * What the keyboard needs of its surface.
 * @typedef {object} Hooks
 * @property {(event: import('./frames.js').InputEvent) => boolean} send
 * @property {() => void} activity the user did something
 * @property {() => void} wayOut the user wants the keyboard back
 * @property {(words: string) => void} hint something to be said in passing
 * @property {boolean} [mac] whether Option and Command are the system's
 * @property {() => number} [now] the clock of `Event.timeStamp`
 */

/** A repeat that the browser held back for longer is none any more. */
const STALE_MS = 300;
const BACKSPACE = { usage: 0x2a, keysym: 0xff08 };
const DELETE = { usage: 0x4c, keysym: 0xffff };
const RETURN = { usage: 0x28, keysym: 0xff0d };

/**
 * Keyboard events of a text field as frames: keys by HID usage and keysym, their repeats, and as text what input methods
 * compose and what is pasted.
 */
export class KeyboardInput {
  /** Held keys, by code. @type {Map<string, Named & {modifier: Modifier | null}>} */
  #held = new Map();
  #abort = new AbortController();
  #clipboards = new Clipboards();
  #expected = new Expected();
  /** Option was pressed, and nothing since: on a Mac it may be about to make a character. */
  #option = false;
  /** A key of this composition went by its place. */
  #placed = false;
  /** Whether the browser hands over its own shortcuts too (Keyboard Lock). */
  locked = false;
  /** Whether the program takes keys by their place alone. */
  physical = false;

  /** @param {HTMLTextAreaElement} field @param {Hooks} hooks */
  constructor(field, hooks) {
    this.field = field;
    this.hooks = hooks;
    this.mac = hooks.mac ?? false;
    this.soft = new SoftField(field);
    const options = { signal: this.#abort.signal };
    field.addEventListener('keydown', event => this.down(event), options);
    field.addEventListener('keyup', event => this.up(event), options);
    field.addEventListener('compositionend', event => this.#composed(event.data), options);
    field.addEventListener('input', event => this.#typed(/** @type {InputEvent} */ (event)), options);
    field.addEventListener('paste', event => this.#pasted(event), options);
    field.addEventListener('blur', () => this.#clipboards.left(), options);
  }

  /** Nothing is held any more; the caller tells the host. */
  forget() {
    this.#expected.drop();
    this.#held.clear();
    this.#option = false;
    this.soft.empty();
  }

  stop() {
    this.#abort.abort();
  }

  /** @param {KeyboardEvent} event */
  down(event) {
    // An input method or a dead key has it: what they make of it arrives as text.
    const composing =
      event.isComposing || event.keyCode === 229 || event.key === 'Dead' || event.key === 'Process';
    if (composing && !(this.physical && usageOf(event.code))) return;
    this.#placed ||= composing;
    if (keys.isWayOut(event)) {
      event.preventDefault();
      this.hooks.wayOut();
      return;
    }
    if (keys.isReserved(event, this.locked, this.mac)) return;
    const key = named(event);
    // Soft keyboards know neither: their text comes by `input`.
    if (key.usage === 0 && key.keysym === 0) return;
    this.hooks.activity();
    const pastes = keys.pastes(event, this.mac);
    // At that one the browser has something to do.
    if (!pastes || event.repeat) event.preventDefault();
    if (event.repeat && pastes) return;
    const id = idOf(event);
    this.#expected.settle();
    const modifier = modifierOf(event.key);
    // Whoever names no place may name another key at its release.
    const tap = key.usage === 0 && !modifier;
    if (!tap && (event.repeat || this.#held.has(id))) return this.#repeat(id, event.timeStamp);
    this.mend(event);
    if (pastes) {
      this.#expected.hold(id, pastes === 'sure', tap => (tap ? this.#tap(key) : this.#press(id, key, null)));
      return;
    }
    if (this.#isOption(event)) {
      this.#option = true;
      return;
    }
    if (!this.mac && keys.copies(event)) this.#clipboards.copied();
    if (tap) this.#tap(key);
    else this.#press(id, key, modifier);
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    const id = idOf(event);
    this.#expected.up(id);
    const held = this.#held.has(id);
    if (held) {
      event.preventDefault();
      this.hooks.activity();
      this.#release(id);
    } else if (this.#option && this.#isOption(event)) {
      this.#tap(named(event));
    }
    this.#option = false;
    // macOS sends no keyup for keys pressed together with Command.
    if (event.key === 'Meta') this.#releaseAll(({ modifier }) => modifier === null);
    const { release } = mended(event, this.#modifiers());
    this.#releaseAll(({ modifier }) => modifier !== null && release.includes(modifier));
  }

  /**
   * Makes the modifiers at the host those that an event says are down.
   * @param {Key | MouseEvent} event @param {boolean} [presses] false: only releases; a pinch calls itself Ctrl and the wheel
   */
  mend(event, presses = true) {
    this.#option = false;
    const none = { key: '', code: '', location: 0 };
    const { key: name, code, location } = 'key' in event ? event : none;
    const key = { ...flags(event), key: name, code, location };
    const held = this.#modifiers();
    const seen = { ...key };
    if (this.mac && !this.physical) {
      // Whether Option is Alt, only the key after it shows.
      if (keys.isOptionCharacter(key)) seen.altKey = false;
      else if (modifierOf(key.key)) seen.altKey = held.has('Alt');
    }
    const { release, press } = mended(seen, held);
    this.#releaseAll(({ modifier }) => modifier !== null && release.includes(modifier));
    for (const modifier of presses ? press : []) {
      const code = `${modifier}Left`;
      this.#press(code, { usage: usageOf(code), keysym: keysymOf(modifier, 1) }, modifier);
    }
  }

  /** On a Mac: Option is sent when it turns out to be Alt. @param {Key} event */
  #isOption(event) {
    return this.mac && !this.physical && event.key === 'Alt';
  }

  #modifiers() {
    return new Set([...this.#held.values()].flatMap(({ modifier }) => modifier ?? []));
  }

  /** @param {string} id @param {Named} key @param {Modifier | null} modifier */
  #press(id, { usage, keysym }, modifier) {
    if (this.hooks.send({ type: 'key', pressed: true, usage, keysym }))
      this.#held.set(id, { usage, keysym, modifier });
  }

  /** @param {string} id */
  #release(id) {
    const { usage, keysym } = /** @type {Named} */ (this.#held.get(id));
    this.#held.delete(id);
    this.hooks.send({ type: 'key', pressed: false, usage, keysym });
  }

  /** @param {(key: Named & {modifier: Modifier | null}) => boolean} which */
  #releaseAll(which) {
    for (const [id, key] of this.#held) if (which(key)) this.#release(id);
  }

  /** @param {Named} key */
  #tap(key) {
    if (this.hooks.send({ type: 'key', pressed: true, ...key }))
      this.hooks.send({ type: 'key', pressed: false, ...key });
  }

  /** The character that a key made when it went down, once more. @param {string} id @param {number} at */
  #repeat(id, at) {
    const held = this.#held.get(id);
    if (!held || held.modifier) return;
    const now = this.hooks.now?.() ?? at;
    if (now - at > STALE_MS) return;
    this.hooks.send({ type: 'repeat', usage: held.usage, keysym: held.keysym });
  }

  /** @param {InputEvent} event */
  #typed(event) {
    const { inputType } = event;
    if (event.isComposing || inputType === 'insertCompositionText') return;
    const text = event.data ?? this.soft.inserted();
    this.soft.empty();
    if (inputType === 'insertLineBreak' || inputType === 'insertParagraph') this.#tap(RETURN);
    else if (inputType.startsWith('delete')) this.#tap(/Forward/.test(inputType) ? DELETE : BACKSPACE);
    else if (inputType === 'insertText') this.#text(text);
    else if (inputType.startsWith('insert')) this.#paste(text);
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    event.preventDefault();
    const text = pastedText(event.clipboardData?.getData('text/plain') ?? '');
    const { chord } = this.#expected;
    const ours = text !== '' && this.#clipboards.isOurs(text);
    if (chord && text === '') return this.#expected.settle();
    if (chord === 'plain' && !ours) {
      this.hooks.hint('That was copied in the program. Ctrl+Shift+V pastes what was copied here.');
      return this.#expected.settle();
    }
    this.#expected.drop();
    this.#paste(text);
  }

  /** @param {string} text */
  #paste(text) {
    if (text.length > MAX_PASTE) this.hooks.hint('That is too much to paste.');
    else this.#text(text);
  }

  /** @param {string} text */
  #composed(text) {
    // Its keys went to the program already.
    if (!this.#placed) this.#text(text);
    this.#placed = false;
    this.soft.empty();
  }

  /** @param {string} text */
  #text(text) {
    this.soft.empty();
    if (text) this.hooks.activity();
    for (const part of splitText(pastedText(text)))
      if (!this.hooks.send({ type: 'text', text: part })) return;
  }
}

/** @param {Key | MouseEvent} event */
function flags(event) {
  const { ctrlKey, shiftKey, altKey, metaKey } = event;
  return {
    ...{ ctrlKey, shiftKey, altKey, metaKey },
    getModifierState: (/** @type {string} */ name) => event.getModifierState?.(name) ?? false,
  };
}

/** @param {Key} event */
const placed = ({ code }) => code !== '' && code !== 'Unidentified';
/** @param {Key} event */
const idOf = event => (placed(event) ? event.code : event.key);
/** @param {Key} event @returns {Named} */
const named = event => ({
  usage: usageOf(event.code),
  keysym: keysymOf(keys.meaning(event), event.location),
});
