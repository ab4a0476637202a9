import { h, setText } from '../lib/dom.js';

const SHOWN_MS = 4000;

/** A few quiet words over the picture, which go by themselves. */
export class Hint {
  #timer = 0;
  node = h('p', { class: 'hint', part: 'hint', role: 'status', hidden: true });

  /** @param {string} words */
  say(words) {
    clearTimeout(this.#timer);
    setText(this.node, words);
    this.node.hidden = false;
    this.#timer = window.setTimeout(() => this.stop(), SHOWN_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.node.hidden = true;
  }
}
