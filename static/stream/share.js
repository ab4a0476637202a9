import { confirmable } from '../lib/confirm.js';
import { h, setText } from '../lib/dom.js';
import { Poll } from '../lib/poll.js';
import { LIVES, linkWords, ROLES, USUAL_LIFE } from './share-model.js';

/** @typedef {import('../lib/api.js').Link} Link */

/** Who uses the links is asked anew so often while the dialog is open. */
const LOOK_MS = 3000;

/** The dialog that makes links to an instance, shows who uses them, and revokes them. */
export class ShareDialog {
  #role = choice('share-role', Object.entries(ROLES), 'spectator');
  #life = choice('share-life', LIVES, USUAL_LIFE);
  #uses = choice(
    'share-uses',
    [
      ['', 'Any number of people'],
      ['1', 'One person, once'],
    ],
    '',
  );
  #make = h('button', { type: 'submit', class: 'primary', 'data-action': 'make-link' }, 'Make a link');
  #url = h('input', { type: 'text', readOnly: true, 'aria-label': 'The new link', 'data-part': 'link' });
  #copy = h('button', { type: 'button', 'data-action': 'copy' }, 'Copy');
  #made = h('div', { class: 'made', hidden: true });
  #list = h('ul', { class: 'links', 'aria-label': 'Links that work now' });
  #none = h('p', { class: 'none' }, 'There is no link yet.');
  #problem = h('p', { class: 'problem', role: 'alert' });
  #close = h('button', { type: 'button', class: 'quiet', 'data-action': 'close' }, 'Close');
  #poll = new Poll(() => this.#refresh(), LOOK_MS);
  /** Items by the id of their link. @type {Map<string, {node: HTMLElement, role: Node, detail: Node}>} */
  #items = new Map();

  /** @param {import('../lib/api.js').Api} api @param {string} instance @param {() => void} closed whatever closed it */
  constructor(api, instance, closed) {
    this.api = api;
    this.instance = instance;
    this.closed = closed;
    const title = h('h2', {}, 'Share');
    title.id = 'share-title';
    const form = h(
      'form',
      { class: 'wish' },
      field('They may', this.#role),
      field('For', this.#life),
      field('Works for', this.#uses),
      this.#make,
    );
    form.addEventListener('submit', event => {
      event.preventDefault();
      void this.#try(() => this.#makeLink());
    });
    const once = h('p', { class: 'hint' }, 'Copy it now: it is not shown again.');
    this.#made.append(h('div', { class: 'row' }, this.#url, this.#copy), once);
    this.#copy.addEventListener('click', () => void this.#copyLink());
    this.#url.addEventListener('focus', () => this.#url.select());
    this.#close.addEventListener('click', () => this.node.close());
    this.node = h(
      'dialog',
      { class: 'share', 'aria-labelledby': title.id },
      title,
      form,
      this.#made,
      this.#problem,
      h('h3', {}, 'Links that work now'),
      this.#none,
      this.#list,
      h('div', { class: 'actions' }, this.#close),
    );
    this.node.addEventListener('close', () => {
      this.closed();
      this.#poll.stop();
      // The secret is on no page that nobody looks at.
      this.#url.value = '';
      this.#made.hidden = true;
    });
    // What is typed here is not the program's.
    this.node.addEventListener('keydown', event => event.stopPropagation());
  }

  /** Opens the dialog; Escape and Close end it. */
  show() {
    setText(this.#problem, '');
    if (!this.node.isConnected) document.body.append(this.node);
    if (!this.node.open) this.node.showModal();
    this.#role.focus();
    this.#poll.start();
  }

  async #makeLink() {
    this.#make.disabled = true;
    try {
      const link = await this.api.makeLink(this.instance, {
        role: /** @type {'controller'|'spectator'} */ (this.#role.value),
        expires_in: Number(this.#life.value),
        ...(this.#uses.value ? { uses: Number(this.#uses.value) } : {}),
      });
      this.#url.value = new URL(link.url, location.href).href;
      this.#made.hidden = false;
      setText(this.#copy, 'Copy');
      this.#copy.focus();
    } finally {
      this.#make.disabled = false;
    }
    this.#poll.soon();
  }

  async #copyLink() {
    this.#url.select();
    try {
      await navigator.clipboard.writeText(this.#url.value);
      setText(this.#copy, 'Copied');
    } catch {
      // Not allowed here, as on a page without TLS: it is selected, for the browser's own copying.
      setText(this.#copy, document.execCommand?.('copy') ? 'Copied' : 'Press Ctrl+C');
    }
  }

  async #refresh() {
    const { links } = await this.api.links(this.instance);
    const now = Date.now() + this.api.clockOffset;
    const living = new Set(links.map(link => link.link_id));
    for (const [id, { node }] of this.#items) {
      if (living.has(id)) continue;
      node.remove();
      this.#items.delete(id);
      // Whoever stood on its button, which went with it, stays in the dialog.
      if (!this.node.contains(document.activeElement)) this.#close.focus();
    }
    for (const link of links) this.#show(link, now);
    this.#none.hidden = links.length > 0;
  }

  /** @param {Link} link @param {number} now */
  #show(link, now) {
    const item = this.#items.get(link.link_id) ?? this.#item(link);
    const words = linkWords(link, now);
    setText(item.role, words.role);
    setText(item.detail, words.detail);
  }

  /** @param {Link} link */
  #item(link) {
    const [role, detail] = [h('strong'), h('span', { class: 'detail' })];
    const revoke = confirmable({
      label: 'Revoke',
      question: 'Put out who came by it?',
      run: () =>
        this.#try(async () => {
          await this.api.revokeLink(this.instance, link.link_id);
          this.#poll.soon();
        }),
    });
    const node = h('li', { 'data-link': link.link_id }, h('div', { class: 'what' }, role, detail), revoke);
    this.#list.append(node);
    const item = { node, role, detail };
    this.#items.set(link.link_id, item);
    return item;
  }

  /** @param {() => Promise<unknown>} run */
  async #try(run) {
    setText(this.#problem, '');
    try {
      await run();
    } catch (error) {
      setText(this.#problem, /** @type {Error} */ (error).message);
    }
  }
}

/** @param {string} id @param {readonly (readonly (string | number)[])[]} all value and words @param {string | number} first */
function choice(id, all, first) {
  const options = all.map(([value, words]) => h('option', { value: String(value) }, String(words)));
  const select = h('select', { id }, ...options);
  select.value = String(first);
  return select;
}

/** @param {string} words @param {HTMLElement} control */
function field(words, control) {
  return h('label', { htmlFor: control.id, class: 'field' }, h('span', {}, words), control);
}
