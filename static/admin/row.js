import { h, setText } from '../lib/dom.js';
import { plural } from '../lib/format.js';
import { deed, exitWords, instanceOf, isFault, label, pages, restartable, span } from './model.js';

/** @typedef {import('./model.js').Row} RowModel */
/** @typedef {import('./model.js').Tree} Tree */

/** How long a row shows that something has just happened to it. */
const FLASH_MS = 2600;

/** @type {Record<string, string>} */
const STATE = { given_up: 'given up' };
/** @type {Record<string, string>} */
const STRATEGY = { one_for_one: 'one for one', rest_for_one: 'rest for one', one_for_all: 'one for all' };

/** One child of the tree. */
export class Row {
  #toggle;
  #name = h('span', { class: 'name' });
  #more = h('span', { class: 'id' });
  #kind = h('span', { class: 'kind' });
  #pages = h('span', { class: 'pages', hidden: true });
  #badge = h('span', { class: 'badge' });
  #restarts = h('span', { class: 'count' });
  #budget = h('span', { class: 'budget' });
  #exit = h('span', { class: 'exit' });
  #uptime = h('span', { role: 'gridcell', class: 'number' });
  #progress = h('span', { role: 'gridcell', class: 'number' });
  #mailbox = h('span', { role: 'gridcell', class: 'number' });
  #pid = h('span', { role: 'gridcell', class: 'number' });
  #button;
  #page;
  #flash = 0;

  /** @param {string} path @param {{toggle: (path: string) => void, restart: (path: string) => void, page: (path: string, first: number) => void}} on */
  constructor(path, on) {
    this.#page = (/** @type {number} */ first) => on.page(path, first);
    this.#toggle = h('button', { type: 'button', class: 'toggle', onclick: () => on.toggle(path) });
    this.#button = h(
      'button',
      { type: 'button', class: 'small', 'data-action': 'restart', onclick: () => on.restart(path) },
      'Restart',
    );
    this.node = h(
      'div',
      { role: 'row', class: 'row', 'data-path': path },
      h(
        'span',
        { role: 'gridcell', class: 'what' },
        this.#toggle,
        h(
          'span',
          { class: 'words' },
          h('span', { class: 'title' }, this.#name, this.#more),
          this.#kind,
          this.#pages,
        ),
      ),
      h('span', { role: 'gridcell' }, this.#badge),
      h('span', { role: 'gridcell', class: 'restarts' }, this.#restarts, this.#budget),
      h('span', { role: 'gridcell', class: 'last' }, this.#exit),
      this.#uptime,
      this.#progress,
      this.#mailbox,
      this.#pid,
      h('span', { role: 'gridcell', class: 'act' }, this.#button),
    );
  }

  /** @param {RowModel} row @param {Tree} tree */
  show(row, tree) {
    const { child } = row;
    const { name, more } = label(child.path, tree.instances);
    const told = tree.instances[instanceOf(child.path) ?? ''];
    const isInstance = told !== undefined && row.parent?.path === 'root/instances';
    this.node.style.setProperty('--level', String(row.level - 1));
    this.node.setAttribute('aria-level', String(row.level));
    this.node.dataset.state = child.state;
    this.#expandable(row, name);
    this.#showPages(row, name);
    setText(this.#name, name);
    setText(this.#more, more);
    const dynamic = child.kind === 'dynamic';
    const kind = child.strategy && !dynamic ? (STRATEGY[child.strategy] ?? child.strategy) : child.kind;
    const count = dynamic ? plural(child.children.length + row.more, 'child', 'children') : '';
    const words = [kind, child.restart, child.significant && 'significant', count, ...factWords(child.facts)];
    setText(this.#kind, words.filter(Boolean).join(' · '));
    const failed = isInstance && told.status === 'FAILED';
    this.#badge.dataset.state = failed ? 'given_up' : child.state;
    const waits = child.restart_in_ms ? ` in ${span(child.restart_in_ms)}` : '';
    setText(
      this.#badge,
      isInstance ? told.status.toLowerCase() : (STATE[child.state] ?? child.state) + waits,
    );
    setText(this.#restarts, child.restarts.total === 0 ? '–' : `${child.restarts.total}`);
    this.#restarts.title = `Generation ${child.generation}; restarted ${child.restarts.total} times in all, ${child.restarts.in_period} of them count now.`;
    this.#showBudget(row);
    const exit = failed ? (told.message ?? told.reason ?? '') : exitWords(child.last_exit);
    setText(this.#exit, exit || '–');
    this.#exit.classList.toggle('fault', failed || isFault(child.last_exit));
    const ago = child.last_exit ? `, ${span(tree.at_ms - child.last_exit.at_ms)} ago` : '';
    this.#exit.title = exit ? `${exit}${ago}` : '';
    setText(this.#uptime, child.uptime_ms === null ? '–' : span(child.uptime_ms));
    const { progress } = child;
    setText(this.#progress, progress ? span(progress.since_ms) : '–');
    this.#progress.title = progress?.limit_ms ? `Counts as stalled after ${span(progress.limit_ms)}.` : '';
    setText(this.#mailbox, child.mailbox === null ? '–' : `${child.mailbox}`);
    setText(this.#pid, child.pid === null ? '–' : `${child.pid}`);
    this.#button.hidden = !restartable(row, tree.instances);
    setText(this.#button, deed(row));
    this.#button.setAttribute('aria-label', `${deed(row)} ${name}`);
  }

  /** Something has happened to it, or to something that it hides. @param {boolean} bad @param {string} why */
  flash(bad, why) {
    clearTimeout(this.#flash);
    this.node.classList.remove('flash', 'flash-bad');
    // Begun anew, also while one is under way.
    void this.node.offsetWidth;
    this.node.classList.add(bad ? 'flash-bad' : 'flash');
    if (why) this.node.dataset.why = why;
    this.#flash = window.setTimeout(() => this.node.classList.remove('flash', 'flash-bad'), FLASH_MS);
  }

  /** @param {RowModel} row @param {string} name */
  #expandable({ child, open, folded }, name) {
    const can = child.children.length > 0 || folded > 0;
    this.#toggle.hidden = !can;
    if (!can) {
      this.node.removeAttribute('aria-expanded');
      return;
    }
    this.node.setAttribute('aria-expanded', String(open));
    this.#toggle.setAttribute('aria-expanded', String(open));
    this.#toggle.setAttribute('aria-label', `${open ? 'Close' : 'Open'} ${name}`);
  }

  /** @param {RowModel} row @param {string} name */
  #showPages(row, name) {
    const shown = pages(row);
    this.#pages.hidden = shown === null;
    if (shown === null) return;
    const { words, before, after } = shown;
    // Made anew only for others, so that focus stays where it is.
    if (this.#pages.dataset.words === words) return;
    this.#pages.dataset.words = words;
    const to = (
      /** @type {number | null} */ first,
      /** @type {string} */ sign,
      /** @type {string} */ which,
    ) =>
      h(
        'button',
        {
          type: 'button',
          class: 'small',
          disabled: first === null,
          'aria-label': `${which} of ${name}`,
          onclick: () => this.#page(first ?? 0),
        },
        sign,
      );
    this.#pages.replaceChildren(to(before, '‹', 'Earlier children'), words, to(after, '›', 'Later children'));
  }

  /** @param {RowModel} row */
  #showBudget({ child }) {
    const { budget } = child;
    // A budget that is never charged says nothing.
    const shown = budget !== null && budget.max > 0 && child.restart !== 'temporary';
    this.#budget.hidden = !shown;
    if (!shown) return;
    const used = Math.min(1, 1 - budget.left / budget.max);
    this.#budget.style.setProperty('--used', String(used));
    this.#budget.classList.toggle('low', budget.left <= 1);
    const whose = budget.own ? 'its own' : "its supervisor's, shared";
    this.#budget.title = `${budget.left} of ${budget.max} restarts left within ${span(budget.period_ms)} (${whose})`;
  }
}

/** @param {Record<string, string>} facts */
const factWords = facts =>
  Object.entries(facts).map(([key, value]) => `${key.replaceAll('_', ' ')} ${value}`);
