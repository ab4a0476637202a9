import { h } from '../lib/dom.js';
import { eventWords, place } from './model.js';

/** Lines that are kept. */
const MOST = 120;
/** What is bad news. */
const BAD = new Set([
  'exited',
  'given_up',
  'escalated',
  'instance_failed',
  'instance_restarting',
  'events_missed',
]);

/** @typedef {{at: number, actor: string, kind: string, detail: string}} StoredEvent */

/** What has happened, the newest first: the stored events, and those of the tree as they come. */
export class History {
  /** The newest first. @type {StoredEvent[]} */
  #events = [];
  /** @type {import('./model.js').Tree | null} */
  tree = null;

  /** @param {HTMLElement} node */
  constructor(node) {
    this.node = node;
  }

  /** What is stored, beside what has come since it was asked for. @param {StoredEvent[]} stored the newest first */
  load(stored) {
    this.#events = merge(this.#events, stored).slice(0, MOST);
    this.node.replaceChildren(...this.#events.map(event => this.#line(event)));
    if (this.#events.length === 0)
      this.node.append(h('li', { class: 'nothing' }, 'Nothing has happened yet.'));
  }

  /** @param {import('./model.js').ChildEvent} event */
  happened(event) {
    const detail = eventWords(event);
    if (detail) this.#add({ at: event.at_ms, actor: event.path, kind: event.what, detail });
  }

  /** @param {number} missed */
  missed(missed) {
    this.#add({ at: Date.now(), actor: 'root', kind: 'events_missed', detail: `${missed} came too fast` });
  }

  /** @param {StoredEvent} event */
  #add(event) {
    this.node.querySelector('.nothing')?.remove();
    this.#events = [event, ...this.#events].slice(0, MOST);
    const line = this.#line(event);
    line.classList.add('new');
    this.node.prepend(line);
    while (this.node.children.length > MOST) this.node.lastElementChild?.remove();
  }

  /** @param {StoredEvent} event */
  #line({ at, actor, kind, detail }) {
    const time = new Date(at);
    const where = h('span', { class: 'where' }, place(actor, this.tree?.instances ?? {}));
    where.title = actor;
    return h(
      'li',
      { class: BAD.has(kind) ? 'bad' : '', 'data-kind': kind, 'data-actor': actor },
      h('time', { dateTime: time.toISOString() }, time.toLocaleTimeString([], { hour12: false })),
      h('span', { class: 'tag' }, kind.replaceAll('_', ' ')),
      where,
      h('span', { class: 'detail' }, detail),
    );
  }
}

/** An event is one that happened then, to this. @param {StoredEvent} event */
const identity = ({ at, actor, kind }) => JSON.stringify([at, actor, kind]);

/** Both, each event once, the newest first. @param {StoredEvent[]} shown @param {StoredEvent[]} stored */
export function merge(shown, stored) {
  const known = new Set(shown.map(identity));
  return [...shown, ...stored.filter(event => !known.has(identity(event)))].sort((a, b) => b.at - a.at);
}
