import { h, setText } from '../lib/dom.js';
import { consequence, deed, place } from './model.js';

/** The question before a restart. One at a time. */
export class RestartDialog {
  #title = h('h2', {});
  #text = h('p', {});
  #path = h('code', {});
  #problem = h('p', { class: 'problem', role: 'alert' });
  #yes = h('button', { type: 'button', class: 'danger', 'data-action': 'confirm-restart' }, 'Restart');
  #no = h('button', { type: 'button', class: 'quiet', 'data-action': 'cancel' }, 'Leave it');
  /** @type {(() => Promise<unknown>) | null} */
  #run = null;

  constructor() {
    this.node = h(
      'dialog',
      { class: 'ask', 'aria-labelledby': 'ask-title' },
      this.#title,
      this.#path,
      this.#text,
      this.#problem,
      h('div', { class: 'actions' }, this.#yes, this.#no),
    );
    this.#title.id = 'ask-title';
    this.#no.addEventListener('click', () => this.node.close());
    this.#yes.addEventListener('click', () => void this.#act());
    document.body.append(this.node);
  }

  /**
   * @param {import('./model.js').Row} row @param {import('./model.js').Tree} tree
   * @param {() => Promise<unknown>} run rejects with what to tell
   */
  ask(row, tree, run) {
    this.#run = run;
    setText(this.#title, `${deed(row)} ${place(row.child.path, tree.instances)}?`);
    setText(this.#yes, deed(row));
    setText(this.#path, row.child.path);
    setText(this.#text, consequence(row, tree.instances));
    setText(this.#problem, '');
    this.#yes.disabled = false;
    if (!this.node.open) this.node.showModal();
    this.#no.focus();
  }

  async #act() {
    const run = this.#run;
    if (!run) return;
    this.#yes.disabled = true;
    try {
      await run();
      if (run === this.#run) this.node.close();
    } catch (error) {
      if (run === this.#run) setText(this.#problem, /** @type {Error} */ (error).message);
    }
    this.#yes.disabled = false;
  }
}
