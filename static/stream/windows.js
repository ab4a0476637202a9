import { h, setText } from '../lib/dom.js';
import { plural } from '../lib/format.js';

/** @typedef {import('../viewer/protocol.js').AppWindow} AppWindow */

/**
 * The list of an app's windows in the page's bar: a button that names the one that has the keys, and opens the others. It
 * is there only while there is something to choose.
 */
export class WindowList {
  #name = h('span', { class: 'title' });
  #count = h('span', { class: 'count' });
  #menu = h('div', { class: 'windows', popover: 'auto', role: 'menu', 'aria-label': 'Windows' });
  #button = h('button', { type: 'button', class: 'quiet window', 'data-action': 'windows' });
  #choose;

  /** @param {{choose: (id: number) => void, closed: () => void}} hooks */
  constructor({ choose, closed }) {
    this.#choose = choose;
    this.#button.append(this.#name, this.#count);
    this.#button.setAttribute('aria-haspopup', 'menu');
    // By the browser: a second press closes it, and so do Escape and a press elsewhere.
    this.#button.popoverTargetElement = this.#menu;
    this.#menu.addEventListener('beforetoggle', event => {
      if (/** @type {ToggleEvent} */ (event).newState === 'open') this.#place();
    });
    this.#menu.addEventListener('toggle', event => {
      const open = /** @type {ToggleEvent} */ (event).newState === 'open';
      if (open) this.#items().at(0)?.focus();
      else closed();
    });
    this.#menu.addEventListener('keydown', event => this.#walk(event));
    this.node = h(
      'span',
      { class: 'switcher', hidden: true, 'data-part': 'windows' },
      this.#button,
      this.#menu,
    );
  }

  /** @param {AppWindow[]} windows @param {boolean} steers whether this viewer may choose */
  show(windows, steers) {
    this.node.hidden = windows.length === 0;
    this.#button.disabled = !steers;
    if ((windows.length === 0 || !steers) && this.#menu.matches(':popover-open')) this.#menu.hidePopover();
    const active = windows.findIndex(window => window.active);
    setText(this.#name, active < 0 ? 'Windows' : windowWords(windows[active], active));
    setText(this.#count, String(windows.length));
    this.#button.title = plural(windows.length, 'window');
    // Each keeps its item, and with it the focus.
    const known = new Map(this.#items().map(item => [item.dataset.window, item]));
    for (const [at, window] of windows.entries()) {
      const id = String(window.id);
      const item = known.get(id) ?? this.#item(window.id);
      known.delete(id);
      setText(item, windowWords(window, at));
      item.setAttribute('aria-checked', String(window.active));
      if (this.#menu.children[at] !== item) this.#menu.insertBefore(item, this.#menu.children[at] ?? null);
    }
    for (const item of known.values()) item.remove();
  }

  /** @param {number} id */
  #item(id) {
    const item = h('button', { type: 'button', role: 'menuitemradio', 'data-window': String(id) });
    item.addEventListener('click', () => {
      this.#choose(id);
      this.#menu.hidePopover();
    });
    return item;
  }

  #items() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#menu.children]);
  }

  /** Below its button, as far as there is room. */
  #place() {
    const { left, bottom } = this.#button.getBoundingClientRect();
    this.#menu.style.left = `max(8px, min(${Math.round(left)}px, 100vw - 328px))`;
    this.#menu.style.top = `${Math.round(bottom) + 8}px`;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = this.#items();
    const at = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    items.at((at + step) % items.length)?.focus();
  }
}

/**
 * A window in words.
 * @param {AppWindow} window @param {number} at its place in the list
 */
export function windowWords({ title, hidden }, at) {
  const name = title || `Window ${at + 1}`;
  return hidden ? `${name} (minimised)` : name;
}
