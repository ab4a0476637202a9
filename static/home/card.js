import { confirmable } from '../lib/confirm.js';
import { h, setText } from '../lib/dom.js';
import { age, countdown, plural } from '../lib/format.js';
import { said, words } from '../viewer/states.js';
import { Thumbnail } from './thumbnail.js';

/** @typedef {import('../lib/api.js').Instance} Instance */

/** What a status is called on the page. @type {Record<string, string>} */
const STATUS = {
  IDLE: 'idle',
  INITIALIZING: 'starting',
  RUNNING: 'running',
  DEINITIALIZING: 'shutting down',
  TERMINATED: 'ended',
  RESTARTING: 'restarting',
  FAILED: 'failed',
};
const OVER = new Set(['TERMINATED', 'FAILED', 'DEINITIALIZING']);
/** A countdown below this is set off in colour. */
const SOON_MS = 5 * 60000;

/** One of the user's instances. */
export class InstanceCard {
  #badge = h('span', { class: 'badge' });
  #age = h('span');
  #viewers = h('span');
  #reap = h('span');
  #problem = h('p', { class: 'problem', role: 'status' });
  #output = h('pre', { class: 'output', tabIndex: 0, 'aria-label': 'Last output' });

  /** @param {Instance} instance @param {import('../lib/api.js').Api} api @param {() => void} onChange */
  constructor(instance, api, onChange) {
    const { instance_id: id, app } = instance;
    this.thumbnail = new Thumbnail(instance, api);
    /** @param {() => Promise<unknown>} run */
    const act = async run => {
      try {
        await run();
        setText(this.#problem, '');
      } catch (error) {
        setText(this.#problem, /** @type {Error} */ (error).message);
      }
      onChange();
    };
    this.rejoin = h('a', { class: 'button primary', href: instance.url, 'data-action': 'rejoin' }, 'Rejoin');
    this.restart = h(
      'button',
      {
        class: 'primary',
        type: 'button',
        'data-action': 'restart',
        onclick: () => void act(() => api.restart(id)),
      },
      'Restart',
    );
    this.terminate = confirmable({
      label: 'Terminate',
      question: `Terminate ${app.name}? What is not saved in it is lost.`,
      run: () => act(() => api.terminate(id)),
    });
    this.node = h(
      'article',
      { class: 'card instance', 'aria-label': app.name },
      this.thumbnail.node,
      h(
        'div',
        { class: 'body' },
        h('div', { class: 'row' }, h('h2', {}, app.name), this.#badge),
        h('div', { class: 'meta' }, this.#age, this.#viewers, this.#reap),
        this.#problem,
        this.#output,
        h('div', { class: 'actions' }, this.rejoin, this.restart, this.terminate),
      ),
    );
    this.node.dataset.instance = id;
  }

  /** @param {Instance} instance @param {number} now ms since 1970 */
  show(instance, now) {
    const { status } = instance;
    const over = OVER.has(status);
    this.node.dataset.status = status;
    this.node.classList.toggle('asleep', status !== 'RUNNING');
    this.#badge.dataset.status = status;
    setText(this.#badge, STATUS[status] ?? status.toLowerCase());
    const since = age(now - instance.created);
    setText(this.#age, since === 'just now' ? 'started just now' : `started ${since} ago`);
    setText(
      this.#viewers,
      over ? '' : instance.viewers > 0 ? plural(instance.viewers, 'viewer') : 'nobody watching',
    );
    const left = instance.reap_at === null ? null : instance.reap_at - now;
    setText(this.#reap, left === null || over ? '' : `ends in ${countdown(left)}`);
    this.#reap.classList.toggle('soon', left !== null && left < SOON_MS);
    this.#reap.title =
      left === null ? '' : 'Instances without a viewer are ended after a while. Rejoin to keep it.';
    if (over || status === 'RESTARTING') {
      setText(this.#problem, said(instance.message) ?? words(instance.reason));
    } else if (this.#problem.textContent && this.#output.textContent) setText(this.#problem, '');
    const output = status === 'FAILED' ? (instance.output ?? []).slice(-12).join('\n') : '';
    setText(this.#output, output);
    this.#output.hidden = output === '';
    this.#problem.hidden = this.#problem.textContent === '';
    this.rejoin.hidden = over;
    this.restart.hidden = status !== 'FAILED' && status !== 'TERMINATED';
    this.terminate.hidden = status === 'DEINITIALIZING' || status === 'TERMINATED';
    this.thumbnail.live(status === 'RUNNING');
  }

  remove() {
    this.thumbnail.stop();
    this.node.remove();
  }
}
