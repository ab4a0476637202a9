/** Events that tell how things are, rather than that something happened: `retell` repeats the last of each. */
const LASTING = new Set([
  'change',
  'welcome',
  'status',
  'viewers',
  'control',
  'track',
  'canvas',
  'channel',
  'way',
]);

/** Tells events, also to who begins to listen later. */
export class Retelling extends EventTarget {
  /** @type {Map<string, unknown>} the last of each that lasts */
  #told = new Map();

  /** @param {string} type @param {unknown} value */
  emit(type, value) {
    if (LASTING.has(type)) this.#told.set(type, value);
    this.dispatchEvent(new CustomEvent(type, { detail: value }));
  }

  /** Tells once more how things are, to who began to listen only now. */
  retell() {
    for (const [type, value] of [...this.#told]) this.emit(type, value);
  }

  /** These are not so any more. @param {string[]} types */
  forget(...types) {
    for (const type of types) this.#told.delete(type);
  }
}
