import { Api } from '../lib/api.js';
import { knownSession, storage } from '../lib/storage.js';
import { Controls } from './controls.js';
import { FrameClock } from './frame-clock.js';
import { FrameWatch } from './frame-watch.js';
import { viewerKey, wishOf } from './kept.js';
import { openLink } from './open.js';
import { reading } from './reading.js';
import { initial, shown as shownOf } from './states.js';
import { Surface } from './surface.js';

/** @typedef {import('./link.js').Link} Link */
/** @typedef {import('./states.js').Shown} Shown */

const now = () => performance.now();

/**
 * `<heliostat-viewer instance="…">`: shows an instance and passes mouse and keyboard to it.
 *
 * Attributes: `instance` (id), `src` (origin of the host; default: this page's), `controls` (a small bar of its own),
 * `muted`, `transport` (`webrtc`, `websocket` or `vnc`; otherwise the best that works, in this order), `rendition` (a number: one
 * of `status.renditions`; otherwise what fits the line). Reflected: `state`.
 *
 * Events (detail): `statechange` (Shown), `status` (the instance as the host tells it), `viewers`, `control`
 * (`{holder, role}`), `error` (`{code, message}`), `stats` (Digest), `latency` (ms), `action` (`{action}`,
 * cancelable: the user pressed the panel's button), `firstframe` (ms since the start), `way` (`webrtc`, `websocket` or `vnc`: how the
 * picture comes from now on), `wayout` (Ctrl+Alt+Escape).
 */
export class HeliostatViewer extends HTMLElement {
  static observedAttributes = ['instance', 'src', 'muted', 'controls', 'transport', 'rendition'];

  /** @type {Link | null} */
  #link = null;
  /** Started elsewhere, to be shown here. @type {Link | null} */
  #begun = null;
  #clock = new FrameClock(requestAnimationFrame.bind(window), now);
  #surface = new Surface(this.attachShadow({ mode: 'open', delegatesFocus: true }), {
    send: event => {
      const ignored = isDeed(event) ? this.#ignored() : '';
      if (ignored) this.#surface.hint.say(ignored);
      return this.#link?.send(event) ?? false;
    },
    activity: () => {
      this.#clock.poke();
      this.#watch.poke();
    },
    wayOut: () => this.#emit('wayout', null),
    action: action => void this.#act(action),
    digest: digest => {
      this.#link?.request({ type: 'stats', digest });
      this.#emit('stats', digest);
    },
    peer: () => this.#link?.peer ?? null,
    latency: () => this.latency,
    photons: () => this.#link?.photons,
    now,
  });
  #watch = new FrameWatch(
    this.#surface.video,
    (metadata, at) => this.#link?.shows(metadata, at),
    () => this.#clock.running || (this.#link?.photons.waits(now()) ?? false),
  );
  #controls = new Controls(this, this.#surface.root);
  #away = new AbortController();
  #active = false;
  /** @type {import('./protocol.js').ViewerEntry[]} */
  #viewers = [];
  /** How many characters could not be typed, as far as it was told. @type {number | null} */
  #notTyped = null;
  /** How the picture came last. @type {import('./ways.js').Way | null} */
  #way = null;
  /** Whether the video has shown something of its latest track. */
  #plays = false;
  /** Why nothing is watched, where the page knows. @type {Shown | null} */
  #refused = null;

  /** @returns {import('./states.js').ViewerState} */
  get state() {
    return this.shown?.state ?? 'idle';
  }
  /** What is shown, in words. @returns {Shown | null} */
  get shown() {
    return this.#link?.shown ?? this.#refused;
  }
  /** Milliseconds to the host and back over the data channel. @returns {number | null} */
  get latency() {
    return this.#link?.latency.value ?? null;
  }
  /**
   * From a press of a button or key to the first picture with a change after it, of the last minute: median, 95th percentile, and of
   * how many. Null where nothing was pressed.
   */
  get clickToPhoton() {
    return this.#link?.photons.figures(now()).click ?? null;
  }
  /** From the grab of a picture at the host to its display here, of the last minute, as `clickToPhoton`. */
  get glassToGlass() {
    return this.#link?.photons.figures(now()).glass ?? null;
  }
  /** The latest presses with their way and that of the picture that showed them, for measurements. */
  get answers() {
    return [...(this.#link?.photons.answers ?? [])];
  }
  get peerId() {
    return this.#link?.peer?.id ?? null;
  }
  get viewerId() {
    return this.#link?.signalling.viewerId ?? null;
  }
  get role() {
    return this.#link?.role ?? null;
  }
  /** Viewer id of who has control. */
  get holder() {
    return this.#link?.holder ?? null;
  }
  /** Whether this viewer has control. */
  get steers() {
    return this.holder !== null && this.holder === this.viewerId;
  }
  get video() {
    return this.#surface.video;
  }
  /** What shows the picture: a video, or a canvas where it comes by a WebSocket. @returns {HTMLVideoElement | HTMLCanvasElement} */
  get picture() {
    return this.#surface.canvas ?? this.video;
  }
  /** How the picture comes, or is tried to come. @returns {import('./ways.js').Way | null} */
  get way() {
    return this.#link?.way ?? null;
  }
  get peerConnection() {
    const peer = this.#link?.peer;
    return peer?.kind === 'webrtc' ? peer.connection : null;
  }
  /** What is known of the connection in figures since it was made. @returns {Promise<import('./stats.js').Digest | null>} */
  async statistics() {
    const peer = this.#link?.peer;
    return peer ? ((await reading(peer, null, now(), this.#link?.photons))?.digest ?? null) : null;
  }
  /** The instance as the host told it last. */
  get status() {
    return this.#link?.facts.instance ?? null;
  }
  get instance() {
    return this.getAttribute('instance') ?? '';
  }
  set instance(id) {
    this.setAttribute('instance', id);
  }
  get statsShown() {
    return this.#surface.stats.shown;
  }
  set statsShown(shown) {
    this.#surface.stats.shown = shown;
  }
  /** Whether shortcuts of the browser arrive too (after `navigator.keyboard.lock()`). @param {boolean} locked */
  set keyboardLocked(locked) {
    this.#surface.keyboard.locked = locked;
  }

  /** Shows the instance of a link that was started before this element was there. @param {Link} link */
  adopt(link) {
    this.#begun = link;
    this.instance = link.instance;
  }

  /** The keyboard is the program's, wherever the focus is. */
  takeKeyboard() {
    this.#surface.field.focus({ preventScroll: true });
  }

  /** Opens the on-screen keyboard of a phone or tablet; works while the user's touch is handled only. */
  openKeyboard() {
    this.#surface.keyboard.soft.open();
  }

  /** Why what the user does goes nowhere, where that is so for long. */
  #ignored() {
    if (this.state !== 'connected' || this.role === null || this.steers) return '';
    if (this.role === 'spectator') return 'You are watching only.';
    const holder = this.#viewers.find(({ viewer_id }) => viewer_id === this.holder);
    // Input of all the tabs of the owner counts while one of them steers.
    const others = this.role !== 'owner' || (holder && holder.role !== 'owner');
    return others ? 'Take control to type and click.' : '';
  }

  /** Watches nothing and says why. @param {string} code stable word @param {string} message */
  refuse(code, message) {
    this.#stop();
    this.#refused = shownOf({ ...initial(), started: true, fault: { code, message } });
    this.#changed(this.#refused);
  }

  requestControl() {
    this.#link?.request({ type: 'request_control' });
  }
  releaseControl() {
    this.#surface.releaseAll();
    this.#link?.request({ type: 'release_control' });
  }
  /** @param {string} viewerId */
  grantControl(viewerId) {
    this.#link?.request({ type: 'grant_control', viewer_id: viewerId });
  }

  /** Shows a window of the app, one of `status.windows`, and gives it the keys. @param {number} id */
  activateWindow(id) {
    this.#link?.request({ type: 'activate_window', window: id });
  }

  /** Starts the instance's app again; rejects with an ApiError. */
  async restart() {
    await this.#api.restart(this.instance);
    this.#link?.retry();
  }

  connectedCallback() {
    this.#active = true;
    this.#away = new AbortController();
    const options = { signal: this.#away.signal };
    document.addEventListener('visibilitychange', () => this.#visibility(), options);
    for (const event of ['online', 'offline'])
      window.addEventListener(event, () => this.#link?.networkChanged(), options);
    // Not in every browser.
    const { connection } = /** @type {{connection?: EventTarget & {type?: string}}} */ (navigator);
    let type = connection?.type;
    const changed = () => {
      // Most of these tell of another estimate of the speed, and some browsers never tell of which kind a network is.
      this.#link?.networkChanged(connection?.type !== type);
      type = connection?.type;
    };
    connection?.addEventListener('change', changed, options);
    window.addEventListener('blur', () => this.#surface.releaseAll(), options);
    window.addEventListener('pagehide', () => this.#stop(), options);
    window.addEventListener('pageshow', event => event.persisted && this.#start(), options);
    this.#start();
  }

  disconnectedCallback() {
    this.#active = false;
    this.#away.abort();
    this.#stop();
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    if (name === 'muted') this.video.muted = after !== null;
    else if (name === 'controls') this.#controls.shown = after !== null;
    else if (name === 'rendition') this.#link?.pin(after);
    // An element of the page's own markup has its attributes before it is connected.
    else if (this.#active && before !== after) this.#start();
  }

  get #origin() {
    return this.getAttribute('src') ? new URL(this.getAttribute('src') ?? '', location.href).origin : '';
  }
  get #api() {
    return new Api(this.#origin);
  }

  #start() {
    this.#stop();
    this.#refused = null;
    if (!this.instance) return;
    const begun = this.#begun;
    this.#begun = null;
    const wish = wishOf(this.getAttribute('transport'));
    const link = begun ?? openLink(this.instance, this.#origin || location.href, wish);
    this.#link = link;
    /** @param {string} type @param {(detail: any) => void} run */
    const on = (type, run) =>
      link.addEventListener(type, event => {
        if (this.#link === link) run(/** @type {CustomEvent} */ (event).detail);
      });
    on('change', shown => this.#changed(shown));
    on('welcome', welcome =>
      storage(() => sessionStorage.setItem(viewerKey(link.instance), welcome.viewer_id)),
    );
    on('track', track => this.#play(track));
    on('canvas', canvas => {
      this.#surface.canvas = canvas;
      this.#emit('firstframe', now() - link.startedAt);
    });
    on('way', way => this.#came(way));
    on('channel', () => {
      this.#surface.forget();
      link.send({ type: document.visibilityState === 'hidden' ? 'hidden' : 'visible' });
    });
    on('control', control => {
      if (control.role === 'spectator') this.#surface.forget();
      this.#emit('control', control);
    });
    on('unreachable', () => void this.#checkSession(link));
    on('problem', problem => this.#emit('error', problem));
    on('status', ({ app, text_not_typed = 0 }) => {
      this.#surface.keyboard.physical = app?.keyboard === 'physical';
      this.#tellNotTyped(text_not_typed);
    });
    on('viewers', ({ viewers }) => {
      this.#viewers = viewers;
    });
    for (const type of ['status', 'viewers', 'latency']) on(type, detail => this.#emit(type, detail));
    link.pin(this.getAttribute('rendition'));
    this.#surface.start();
    this.#watch.start();
    if (begun) {
      link.retell();
      // The page may have come into view before anybody here was told.
      link.wake();
    } else {
      void this.#begin(link);
    }
  }

  /** @param {number} characters since the launch */
  #tellNotTyped(characters) {
    const more = characters - (this.#notTyped ?? characters);
    this.#notTyped = characters;
    if (more <= 0 || !this.steers) return;
    this.#surface.hint.say(
      `${more === 1 ? 'A character' : `${more} characters`} could not be typed into the program.`,
    );
  }

  /** A browser that has a session need not wait for it. @param {Link} link */
  async #begin(link) {
    // Refused: the socket says so in words, or lets a spectator in.
    if (!knownSession()) await this.#api.session({ guest: true }).catch(() => {});
    if (link === this.#link) link.start();
  }

  #stop() {
    this.#surface.releaseAll();
    this.#surface.stop();
    this.#watch.stop();
    this.#link?.stop();
    this.#link = null;
    this.#way = null;
    this.#notTyped = null;
    this.#changed(shownOf(initial()));
  }

  /** @param {Shown} shown */
  #changed(shown) {
    const { state } = shown;
    if (state !== 'connected') this.#surface.forget();
    if (this.getAttribute('state') !== state) this.setAttribute('state', state);
    this.#surface.show(shown);
    this.#emit('statechange', shown);
  }

  /** The picture comes this way from now on. @param {import('./ways.js').Way} way */
  #came(way) {
    const { hint } = this.#surface;
    const before = this.#way;
    this.#way = way;
    if (way !== 'webrtc' && wishOf(this.getAttribute('transport')) === 'auto')
      hint.say(
        way === 'vnc'
          ? 'This browser has no better way: the picture comes by VNC.'
          : 'No direct path to the host was found: the picture comes by a WebSocket.',
      );
    else if (way === 'webrtc' && before && before !== 'webrtc')
      hint.say('A direct path to the host was found.');
    this.#settle();
    if (way !== before) this.#emit('way', way);
  }

  /** What came by a WebSocket last stays until there is something else to see. */
  #settle() {
    if (this.#way === 'webrtc' && this.#plays) this.#surface.canvas = null;
  }

  /** @param {MediaStreamTrack} track */
  #play(track) {
    const { video } = this;
    const startedAt = this.#link?.startedAt ?? 0;
    this.#plays = false;
    video.srcObject = new MediaStream([track]);
    video.play().catch(() => {
      // Browsers refuse sound before a gesture; pictures without sound always play.
      video.muted = true;
      return video.play().catch(() => {});
    });
    const first = () => {
      // What Chromium shows of a track that ended before it brought anything: no frame of ours.
      if (video.videoWidth <= 2 && video.requestVideoFrameCallback) {
        video.requestVideoFrameCallback(first);
        return;
      }
      this.#plays = true;
      this.#settle();
      this.#emit('firstframe', now() - startedAt);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(first);
    else video.addEventListener('playing', first, { once: true });
  }

  /** A refused upgrade looks like no host at all: ask which it is. @param {Link} link */
  async #checkSession(link) {
    try {
      await this.#api.session({ guest: true });
    } catch (error) {
      const { code, message, status } = /** @type {import('../lib/api.js').ApiError} */ (error);
      if (link === this.#link && (status === 401 || status === 403)) link.fail(code, message);
    }
  }

  /** @param {'restart'|'launch'|'retry'|'reload'} action */
  async #act(action) {
    const event = new CustomEvent('action', { detail: { action }, cancelable: true });
    if (!this.dispatchEvent(event)) return;
    try {
      if (action === 'restart') await this.restart();
      else if (action === 'retry') this.#start();
      else if (action === 'reload') location.reload();
      else this.instance = (await this.#api.launch(this.status?.app?.id ?? '')).instance_id;
    } catch (error) {
      const { code, message } = /** @type {import('../lib/api.js').ApiError} */ (error);
      this.#surface.overlay.complain(message);
      this.#emit('error', { code, message });
    }
  }

  #visibility() {
    const hidden = document.visibilityState === 'hidden';
    if (hidden) this.#surface.releaseAll();
    this.#link?.send({ type: hidden ? 'hidden' : 'visible' });
    if (!hidden) this.#link?.wake();
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whether an event is something that the user meant to do. @param {import('./frames.js').InputEvent} event */
const isDeed = event =>
  event.type === 'text' || ((event.type === 'key' || event.type === 'button') && event.pressed);

if (!customElements.get('heliostat-viewer')) customElements.define('heliostat-viewer', HeliostatViewer);
