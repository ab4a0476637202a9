import { h, setText } from '../lib/dom.js';

/** @typedef {import('./states.js').Shown} Shown */

const LABELS = { restart: 'Restart', launch: 'Launch again', retry: 'Try again', reload: 'Reload the page' };
/** Short interruptions are shown by the dimmed picture alone at first. */
const CALM_MS = 400;

/**
 * The panel over the picture that says what is happening whenever it is not simply there.
 */
export class Overlay {
  #title = h('h2', { class: 'title' });
  #detail = h('p', { class: 'detail' });
  #count = h('p', { class: 'count', 'aria-hidden': 'true' });
  #output = h('pre', { class: 'output', tabIndex: 0, 'aria-label': 'Last output of the program' });
  #button = h('button', { class: 'action', type: 'button', part: 'action' });
  #ticker = 0;
  #calm = 0;
  /** @type {Shown | null} */
  #shown = null;

  /** @param {(action: 'restart'|'launch'|'retry'|'reload') => void} onAction @param {() => number} now */
  constructor(onAction, now) {
    this.now = now;
    this.#button.addEventListener('click', () => {
      if (!this.#shown?.action) return;
      // No second click while it runs; the next state brings the button back.
      this.#button.disabled = true;
      onAction(this.#shown.action);
    });
    const spinner = h('div', { class: 'beam', 'aria-hidden': 'true' });
    const words = h(
      'div',
      { class: 'words', role: 'status', 'aria-live': 'polite' },
      this.#title,
      this.#detail,
    );
    this.node = h(
      'div',
      { class: 'overlay', part: 'overlay', hidden: true },
      h('div', { class: 'card' }, spinner, words, this.#count, this.#output, this.#button),
    );
  }

  /** @param {Shown} shown */
  show(shown) {
    const before = this.#shown?.state;
    this.#shown = shown;
    this.node.dataset.state = shown.state;
    setText(this.#title, shown.title);
    setText(this.#detail, shown.detail);
    setText(this.#output, shown.output.join('\n'));
    this.#output.hidden = shown.output.length === 0;
    // Asks for a layout, which nobody needs while the page comes up.
    if (!this.#output.hidden) this.#output.scrollTop = this.#output.scrollHeight;
    this.#button.hidden = shown.action === null;
    this.#button.disabled = false;
    if (shown.action) setText(this.#button, LABELS[shown.action]);
    clearTimeout(this.#calm);
    const quiet = shown.action === null && (shown.state === 'connected' || shown.state === 'idle');
    if (quiet) this.node.hidden = true;
    else if (before === 'connected') {
      this.#calm = window.setTimeout(() => {
        this.node.hidden = false;
      }, CALM_MS);
    } else this.node.hidden = false;
    this.#tick();
  }

  /** The action did not work. @param {string} message */
  complain(message) {
    setText(this.#detail, message);
    this.#button.disabled = false;
  }

  stop() {
    clearTimeout(this.#ticker);
    clearTimeout(this.#calm);
  }

  #tick() {
    clearTimeout(this.#ticker);
    const at = this.#shown?.retryAt ?? null;
    this.#count.hidden = at === null;
    if (at === null) return;
    const seconds = Math.ceil((at - this.now()) / 1000);
    setText(this.#count, seconds > 0 ? `Trying again in ${seconds} s` : 'Trying again…');
    this.#ticker = window.setTimeout(() => this.#tick(), 250);
  }
}
