import { h, setText } from '../lib/dom.js';
import { glyph } from './glyph.js';

/** @typedef {import('../lib/api.js').App} App */

/** The programs that can be launched. */
export class Catalogue {
  /** @type {HTMLButtonElement[]} */
  #buttons = [];

  /** @param {HTMLElement} node @param {(app: App) => void} onLaunch */
  constructor(node, onLaunch) {
    this.node = node;
    this.onLaunch = onLaunch;
  }

  /** @param {App[]} apps */
  show(apps) {
    this.#buttons = [];
    this.node.replaceChildren(...apps.map(app => this.#card(app)));
    if (apps.length === 0) {
      this.node.append(h('p', { class: 'meta' }, 'The catalogue of this host is empty.'));
    }
  }

  /** Without room, Launch stays possible (the host decides) but says so. @param {import('../lib/api.js').Capacity} capacity */
  capacity(capacity) {
    for (const button of this.#buttons) button.classList.toggle('primary', capacity.free > 0);
  }

  /** The launch asked for has been answered. */
  ready() {
    for (const button of this.#buttons) {
      button.disabled = false;
      setText(button, 'Launch');
    }
  }

  /** @param {App} app */
  #card(app) {
    const button = h(
      'button',
      { class: 'primary', type: 'button', 'aria-label': `Launch ${app.name}` },
      'Launch',
    );
    button.dataset.app = app.id;
    button.addEventListener('click', () => {
      for (const other of this.#buttons) other.disabled = true;
      setText(button, 'Launching…');
      this.onLaunch(app);
    });
    this.#buttons.push(button);
    const text = h(
      'div',
      { class: 'text' },
      h('h2', {}, app.name),
      h('p', {}, app.description),
      h(
        'div',
        { class: 'actions' },
        button,
        h('span', { class: 'meta' }, `${app.width}×${app.height} · ${app.fps} fps`),
      ),
    );
    const card = h('article', { class: 'card app' }, h('div', { class: 'body' }, glyph(app), text));
    card.dataset.app = app.id;
    return card;
  }
}
