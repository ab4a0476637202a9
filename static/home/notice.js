import { h } from '../lib/dom.js';
import { tokenIn } from './entry.js';

/**
 * The one message above everything else.
 */
export class Notice {
  #timer = 0;
  #shown = '';

  /** @param {HTMLElement} node */
  constructor(node) {
    this.node = node;
  }

  clear() {
    clearInterval(this.#timer);
    this.#shown = '';
    this.node.replaceChildren();
  }

  /**
   * @param {{title: string, text: string, bad?: boolean, retryAfter?: number | null,
   *   actions?: {label: string, run: () => void}[]}} message `retryAfter` (seconds) keeps the first action waiting
   */
  show({ title, text, bad = false, retryAfter = null, actions = [] }) {
    // The same message again is not announced again.
    if (this.#shown === title + text && retryAfter === null) return;
    this.clear();
    this.#shown = title + text;
    const buttons = actions.map(({ label, run }) => h('button', { type: 'button', onclick: run }, label));
    this.node.append(
      h(
        'div',
        { class: bad ? 'notice bad' : 'notice' },
        h('div', { class: 'words' }, h('h2', {}, title), h('p', {}, text)),
        ...buttons,
      ),
    );
    if (retryAfter !== null && buttons[0]) this.#wait(buttons[0], actions[0].label, retryAfter);
  }

  /**
   * Nobody has let this browser in yet.
   * @param {boolean} refused whether a token was given and is wrong
   * @param {(token: string) => void} onToken
   */
  askForToken(refused, onToken) {
    this.clear();
    const input = h('input', {
      type: 'text',
      autocomplete: 'off',
      spellcheck: false,
      required: true,
      placeholder: 'Token, or the whole address',
      'aria-label': 'Token, or the whole address',
    });
    const form = h('form', {}, input, h('button', { class: 'primary', type: 'submit' }, 'Continue'));
    form.addEventListener('submit', event => {
      event.preventDefault();
      const token = tokenIn(input.value);
      if (token) onToken(token);
    });
    const words = h(
      'p',
      {},
      refused
        ? 'It was used before, or there is another since. Open a current address ('
        : 'Open the address that the host printed when it started (',
      h('code', {}, `${location.origin}/#token=…`),
      '), or run ',
      h('code', {}, 'heliostat token'),
      ' on its machine and paste what it says here.',
    );
    const title = refused ? 'That token is not the right one' : 'This host wants to know you first';
    this.node.append(
      h(
        'div',
        { class: refused ? 'notice bad' : 'notice' },
        h('div', { class: 'words' }, h('h2', {}, title), words),
        form,
      ),
    );
  }

  /** @param {HTMLButtonElement} button @param {string} label @param {number} seconds */
  #wait(button, label, seconds) {
    let left = Math.ceil(seconds);
    const tick = () => {
      button.disabled = left > 0;
      button.textContent = left > 0 ? `${label} in ${left} s` : label;
      if (left <= 0) clearInterval(this.#timer);
      left -= 1;
    };
    tick();
    this.#timer = window.setInterval(tick, 1000);
  }
}
