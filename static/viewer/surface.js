import { h } from '../lib/dom.js';
import { Hint } from './hint.js';
import { KeyboardInput } from './keyboard.js';
import { isMac } from './keys.js';
import { Overlay } from './overlay.js';
import { PointerInput } from './pointer.js';
import { StatsPanel } from './stats-panel.js';
import { viewerSheet } from './style.js';

/**
 * What the surface needs of its element.
 * @typedef {object} Hooks
 * @property {(event: import('./frames.js').InputEvent) => boolean} send
 * @property {() => void} activity the user did something
 * @property {() => void} wayOut the user wants the keyboard back
 * @property {(action: 'restart'|'launch'|'retry'|'reload') => void} action
 * @property {(digest: import('./stats.js').Digest) => void} digest
 * @property {() => import('./carrying.js').Transport | null} peer
 * @property {() => number | null} latency
 * @property {() => import('./photons.js').Photons | undefined} photons
 * @property {() => number} now
 */

/**
 * The inside of the element: picture, keyboard field, panel, statistics.
 */
export class Surface {
  // First in the tree, so that focus given to the element lands here.
  field = h('textarea', {
    autocapitalize: 'off',
    autocomplete: 'off',
    spellcheck: false,
    inputMode: 'none',
    rows: 1,
    autocorrect: 'off',
    'aria-label': 'Keyboard of the program. Control, Alt and Escape together leave it.',
  });
  video = h('video', {
    autoplay: true,
    playsInline: true,
    muted: true,
    disablePictureInPicture: true,
    part: 'video',
  });

  hint = new Hint();
  /** Over the video, where the picture comes by a WebSocket. @type {HTMLCanvasElement | null} */
  #canvas = null;

  /** @param {ShadowRoot} root @param {Hooks} hooks */
  constructor(root, hooks) {
    this.root = root;
    this.hooks = hooks;
    this.overlay = new Overlay(hooks.action, hooks.now);
    this.stats = new StatsPanel(hooks.peer, hooks.latency, hooks.photons, hooks.digest);
    root.adoptedStyleSheets = [viewerSheet()];
    const ring = h('div', { class: 'ring keyboard' });
    root.append(this.field, this.video, ring, this.overlay.node, this.stats.node, this.hint.node);
    this.keyboard = new KeyboardInput(this.field, {
      send: hooks.send,
      activity: hooks.activity,
      wayOut: () => {
        this.releaseAll();
        this.field.blur();
        hooks.wayOut();
      },
      hint: words => this.hint.say(words),
      mac: isMac(navigator.platform),
      now: hooks.now,
    });
    // Before the click itself: a modifier may have been pressed or released where nobody saw it.
    this.video.addEventListener('pointerdown', event => {
      this.field.focus({ preventScroll: true });
      this.keyboard.mend(event);
    });
    this.video.addEventListener('wheel', event => this.keyboard.mend(event, false));
    this.pointer = new PointerInput(this.video, hooks.send, hooks.activity, () => this.size);
    this.field.addEventListener('blur', () => this.releaseAll());
  }

  start() {
    this.stats.start();
  }

  stop() {
    this.stats.stop();
    this.overlay.stop();
    this.hint.stop();
    this.video.srcObject = null;
    this.canvas = null;
  }

  get canvas() {
    return this.#canvas;
  }
  /** What is seen instead of the video; the mouse is the video's all the same. @param {HTMLCanvasElement | null} canvas */
  set canvas(canvas) {
    if (canvas === this.#canvas) return;
    if (canvas) {
      canvas.setAttribute('part', 'video');
      (this.#canvas ?? this.video).after(canvas);
    }
    this.#canvas?.remove();
    this.#canvas = canvas;
  }

  /** Of the picture, in its own pixels. */
  get size() {
    const { video } = this;
    return this.#canvas ?? { width: video.videoWidth, height: video.videoHeight };
  }

  /** @param {import('./states.js').Shown} shown */
  show(shown) {
    this.overlay.show(shown);
  }

  /** Nothing stays pressed, here and at the host. */
  releaseAll() {
    this.forget();
    this.hooks.send({ type: 'release_all' });
  }

  /** Nothing stays pressed; the host knows already. */
  forget() {
    this.pointer.forget();
    this.keyboard.forget();
  }
}
