import { confirmable } from '../lib/confirm.js';
import { h, setText } from '../lib/dom.js';
import { plural } from '../lib/format.js';
import { icon } from './icons.js';
import { Quality } from './quality.js';
import { WindowList } from './windows.js';

/** @typedef {import('../viewer/element.js').HeliostatViewer} HeliostatViewer */

const TOAST_MS = 5000;

/** The thin bar over the picture: where one is, how the connection is, who has control. */
export class Toolbar {
  #name = h('span', { class: 'name' }, 'Heliostat');
  #words = h('span');
  #chip = h('span', { class: 'chip', 'data-part': 'state' }, h('i', { class: 'dot' }), this.#words);
  // Spoken apart from the chip, whose milliseconds change every second.
  #spoken = h('span', { class: 'spoken', role: 'status', 'aria-live': 'polite' });
  #short = h('span');
  #who = h('span', { class: 'who', 'data-part': 'control' });
  #toast = h('div', { class: 'toast', role: 'alert', hidden: true });
  #toastTimer = 0;
  /** @type {import('../viewer/protocol.js').ViewerEntry[]} */
  #viewers = [];
  /** How many there are: of very many not all are named. */
  #count = 0;
  /** What this viewer was last. @type {import('../viewer/protocol.js').Role | null} */
  #role = null;

  #windows = new WindowList({
    choose: id => this.viewer.activateWindow(id),
    // What is typed next is for the program.
    closed: () => this.viewer.focus(),
  });

  #quality = new Quality(rung => {
    if (rung === null) this.viewer.removeAttribute('rendition');
    else this.viewer.setAttribute('rendition', String(rung));
    this.viewer.takeKeyboard();
  });

  /** @param {HeliostatViewer} viewer @param {{fullScreen: () => void, share: () => void, terminate: () => Promise<void>}} actions */
  constructor(viewer, actions) {
    this.viewer = viewer;
    this.home = h(
      'a',
      { class: 'home', href: '/', 'aria-label': 'Home' },
      h('img', { src: new URL('../logo.svg', import.meta.url).href, alt: '', width: 24, height: 24 }),
    );
    this.control = h('button', { type: 'button', hidden: true, 'data-action': 'control' });
    this.control.addEventListener('click', () => {
      if (viewer.steers) viewer.releaseControl();
      else viewer.requestControl();
    });
    this.share = h(
      'button',
      { type: 'button', class: 'quiet', hidden: true, 'data-action': 'share' },
      'Share',
    );
    this.share.prepend(icon('share'));
    this.share.addEventListener('click', actions.share);
    const stats = this.#icon('stats', 'Statistics', () => {
      viewer.statsShown = !viewer.statsShown;
      stats.setAttribute('aria-pressed', String(viewer.statsShown));
    });
    const keyboard = this.#icon('keyboard', 'Keyboard', () => viewer.openKeyboard());
    // Where fingers are, a keyboard may be missing.
    keyboard.hidden = !matchMedia('(any-pointer: coarse)').matches;
    const full = this.#icon('full', 'Full screen', actions.fullScreen);
    this.terminate = confirmable({
      label: 'Terminate',
      question: 'Terminate it?',
      run: () => actions.terminate().catch(error => this.toast(error.message)),
    });
    this.terminate.hidden = true;
    const gap = h('span', { class: 'gap', 'aria-hidden': 'true' });
    this.bar = h('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Stream' });
    this.bar.append(
      this.home,
      this.#name,
      this.#chip,
      this.#who,
      this.control,
      this.#windows.node,
      gap,
      this.#quality.node,
      this.share,
      stats,
      keyboard,
      full,
      this.terminate,
    );
    this.handle = h('button', { class: 'handle', type: 'button', 'aria-label': 'Show the toolbar' });
    this.handle.append(h('i', { class: 'dot' }), this.#short);
    // A press on a list opens it, and has the keys until it closes: Escape too is for the list.
    this.bar.addEventListener(
      'click',
      event => /** @type {Element} */ (event.target).closest('select, [aria-haspopup]') || this.#giveBack(),
    );
    this.terminate.addEventListener('keep', () => this.#giveBack());
    this.bar.addEventListener('keydown', event => event.key === 'Escape' && this.#giveBack());
    this.node = h('div', { class: 'chrome' }, this.bar, this.handle, this.#toast, this.#spoken);
    viewer.addEventListener('latency', () => this.state());
    viewer.addEventListener('control', () => {
      const lowered = this.#role !== null && this.#role !== 'spectator' && viewer.role === 'spectator';
      if (lowered) this.toast('You are watching only from now on.');
      this.#role = viewer.role;
      this.#roles();
    });
    viewer.addEventListener('viewers', event => {
      const { viewers, count } = /** @type {CustomEvent} */ (event).detail;
      this.#viewers = viewers;
      this.#count = count;
      this.#roles();
    });
    this.state();
  }

  /** Shows the viewer's state as it is now. */
  state() {
    const { state, latency, status, way } = this.viewer;
    this.node.dataset.state = state;
    const connected = state === 'connected' && latency !== null;
    setText(this.#words, connected ? `connected · ${ms(latency)}` : state);
    setText(this.#short, connected ? ms(latency) : state);
    setText(this.#spoken, state);
    setText(this.#name, status?.app?.name ?? 'Heliostat');
    // By VNC there is nothing to choose.
    this.#quality.show((way !== 'vnc' && status?.renditions) || [], status?.size);
    this.#roles();
  }

  focus() {
    this.home.focus();
  }

  /** The keyboard is the program's again, unless the bar asks for an answer or something has opened. */
  #giveBack() {
    const asks = this.bar.querySelector('.confirm:not([hidden]), [aria-expanded="true"]');
    if (!asks && !document.querySelector('dialog[open]')) this.viewer.takeKeyboard();
  }

  /** @param {string} text */
  toast(text) {
    clearTimeout(this.#toastTimer);
    this.#toast.hidden = false;
    setText(this.#toast, text);
    this.#toastTimer = window.setTimeout(() => {
      this.#toast.hidden = true;
    }, TOAST_MS);
  }

  #roles() {
    const { role, holder, steers, state, status } = this.viewer;
    const live = state !== 'ended' && state !== 'error' && state !== 'idle';
    const count = this.#count;
    const others = live && count > 1 ? ` · ${plural(count, 'viewer')}` : '';
    const who = !live
      ? ''
      : steers
        ? 'in control'
        : role === 'spectator'
          ? 'watching only'
          : role
            ? 'watching'
            : '';
    setText(this.#who, who || others ? `${who}${who ? others : others.slice(3)}` : '');
    // Among the owner's own tabs control goes to the one that acts.
    const own = role === 'owner' && this.#viewers.some(v => v.viewer_id === holder && v.role === 'owner');
    const canTake = !steers && !own && role !== null && role !== 'spectator';
    const canRelease = steers && (count > 1 || role !== 'owner');
    this.control.hidden = !live || !(canTake || canRelease);
    setText(this.control, steers ? 'Release control' : 'Take control');
    this.#windows.show(live ? (status?.windows ?? []) : [], steers || own);
    this.terminate.hidden = !(role === 'owner' || role === 'admin') || !live;
    this.share.hidden = this.terminate.hidden;
  }

  /** @param {'stats'|'full'|'keyboard'} name @param {string} label @param {() => void} run */
  #icon(name, label, run) {
    return h(
      'button',
      {
        class: 'quiet icon',
        type: 'button',
        title: label,
        'aria-label': label,
        onclick: run,
        'data-action': name,
      },
      icon(name),
    );
  }
}

/** @param {number | null} latency */
const ms = latency =>
  latency === null ? '' : latency < 9.95 ? `${latency.toFixed(1)} ms` : `${Math.round(latency)} ms`;
