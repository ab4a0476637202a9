import { h } from '../lib/dom.js';
import { eventWords, everything, isFault, query, rowOf, rows, usuallyOpen } from './model.js';
import { Row } from './row.js';

const COLUMNS = ['Child', 'State', 'Restarts', 'Last exit', 'Uptime', 'Progress', 'Queue', 'Pid', ''];

/**
 * The tree: a row for each child of what is open, kept while its path is shown. Of what is not open the host tells nothing;
 * event `wanted` (detail: a query) says what it is to tell.
 */
export class TreeTable extends EventTarget {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Set<string> | null} */
  #open = null;
  /** From which child on a parent's are shown. @type {Map<string, number>} */
  #from = new Map();
  /** What the host has to unfold, since it is open here. @type {Set<string>} */
  #unfold = new Set();
  /** Everything is to be opened as soon as it is there. */
  #opening = false;
  #query = '';
  /** @type {import('./model.js').Tree | null} */
  tree = null;

  /** @param {HTMLElement} node @param {(row: import('./model.js').Row) => void} onRestart */
  constructor(node, onRestart) {
    super();
    this.onRestart = onRestart;
    const head = COLUMNS.map(name => h('span', { role: 'columnheader' }, name));
    this.body = h('div', { role: 'rowgroup' });
    node.append(
      h(
        'div',
        { role: 'treegrid', class: 'table', 'aria-label': 'Supervision tree' },
        h('div', { role: 'rowgroup' }, h('div', { role: 'row', class: 'row head' }, ...head)),
        this.body,
      ),
    );
  }

  /** @param {import('./model.js').Tree} tree */
  show(tree) {
    this.tree = tree;
    this.#open ??= usuallyOpen(tree);
    if (this.#opening) {
      this.#open = everything(tree);
      for (const path of Object.keys(tree.folded)) this.#unfold.add(path);
      this.#opening = Object.keys(tree.folded).length > 0;
    }
    const shown = rows(tree, this.#open);
    const paths = new Set(shown.map(({ child }) => child.path));
    for (const [path, row] of this.#rows) {
      if (paths.has(path)) continue;
      row.node.remove();
      this.#rows.delete(path);
    }
    shown.forEach((model, index) => {
      const { path } = model.child;
      let row = this.#rows.get(path);
      if (!row) {
        row = new Row(path, {
          toggle: at => this.#toggle(at),
          restart: at => this.#restart(at),
          page: (at, first) => this.#page(at, first),
        });
        this.#rows.set(path, row);
      }
      row.show(model, tree);
      // Moved only if its place has changed, so that focus stays where it is.
      if (this.body.children[index] !== row.node)
        this.body.insertBefore(row.node, this.body.children[index] ?? null);
    });
  }

  /** Shows where something has happened. @param {import('./model.js').ChildEvent} event */
  happened(event) {
    if (event.what === 'exited' && !isFault(event.exit)) return;
    const path = rowOf(event.path, new Set(this.#rows.keys()));
    const bad = event.what !== 'started' && event.what !== 'restart_asked' && event.what !== 'restarting';
    // A start that is nobody's restart is no news.
    if (event.what === 'started' && event.generation === 1) return;
    if (path) this.#rows.get(path)?.flash(bad, eventWords(event));
  }

  openAll() {
    if (!this.tree) return;
    this.#opening = true;
    this.show(this.tree);
    this.#ask();
  }

  closeAll() {
    if (!this.tree) return;
    this.#opening = false;
    this.#unfold.clear();
    this.#open = usuallyOpen(this.tree);
    this.show(this.tree);
    this.#ask();
  }

  /** Says what is to be told from now on, if that is something else. */
  #ask() {
    const wanted = query(this.#opening ? '*' : this.#unfold, this.#from);
    if (wanted === this.#query) return;
    this.#query = wanted;
    this.dispatchEvent(new CustomEvent('wanted', { detail: wanted }));
  }

  /** @param {string} path @param {number} first */
  #page(path, first) {
    this.#from.set(path, first);
    this.#ask();
  }

  /** @param {string} path */
  #toggle(path) {
    if (!this.tree || !this.#open) return;
    this.#opening = false;
    if (this.#open.delete(path)) {
      this.#unfold.delete(path);
    } else {
      this.#open.add(path);
      if (this.tree.folded[path]) this.#unfold.add(path);
    }
    this.show(this.tree);
    this.#ask();
  }

  /** @param {string} path */
  #restart(path) {
    if (!this.tree || !this.#open) return;
    const row = rows(this.tree, this.#open).find(({ child }) => child.path === path);
    if (row) this.onRestart(row);
  }
}
