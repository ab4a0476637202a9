import { Backoff } from '../lib/backoff.js';
import { Carrying } from './carrying.js';
import { afterClose, closeWords } from './close-reasons.js';
import { ADOPTION_MS, GOING_MS, RESUME_WITHIN_MS } from './deadlines.js';
import { takesPeers } from './protocol.js';
import { rungOf } from './rendition.js';
import { Retelling } from './retelling.js';
import { Sender } from './sender.js';
import { Signalling } from './signalling.js';
import { initial, shown, step } from './states.js';

/** @typedef {import('./signalling.js').Env} Env */
/** @typedef {import('./states.js').Input} Input */
/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */

/**
 * What carrying needs of the link.
 * @typedef {object} Surroundings
 * @property {import('./signalling.js').Env} env
 * @property {import('./signalling.js').Signalling} signalling
 * @property {string} instance
 * @property {import('../lib/backoff.js').Backoff} backoff
 * @property {() => import('./states.js').Facts} facts
 * @property {(input: import('./states.js').Input) => void} input
 * @property {(type: string, value: unknown) => void} emit
 * @property {(...types: string[]) => void} forget
 * @property {() => boolean} wanted whether the host takes a peer now
 * @property {(t: bigint) => void} ping
 * @property {(delays: import('./photons.js').Delays) => void} report what was measured
 * @property {(status: import('./protocol.js').InstanceMessage) => void} status
 * @property {(reason: string) => void} closed the host closes the peer of the moment
 * @property {(code: string) => void} putOut
 * @property {(code: string, message: string) => void} fail
 * @property {() => void} dropped there is no peer any more
 */

/**
 * One viewer's connection to one instance: signalling, what carries the picture (`Carrying`), and the state to show.
 *
 * It takes the living peer over after a dropped socket.
 *
 * Events: `change` (detail: Shown), `welcome`, `status` (InstanceMessage), `viewers`, `control`, `problem`
 * (`{code, message}`), `offer` (a peer is on its way), `track` (MediaStreamTrack), `canvas` (HTMLCanvasElement with its first
 * picture), `peer` (Transport), `channel` (input goes through), `way` (the one that is connected), `latency` (ms).
 */
export class Link extends Retelling {
  facts = initial();
  /** When it was started, ms of `env.now()`. */
  startedAt = 0;
  /** @type {import('./protocol.js').Role | null} */
  role = null;
  /** @type {string | null} viewer id of who has control */
  holder = null;
  #carrying;
  #watching = false;
  #resumeTimer = 0;
  #unknownSince = 0;
  #sender;
  #lastShown = '';
  /** The form of the picture that is asked for. @type {string | null} */
  #wish = null;
  /** What the first `watch` says to have the socket that was opened for the picture. @type {string | null} */
  #claim = null;

  /**
   * @param {string} url of the socket @param {string} instance @param {Env} env @param {string | null} viewerId
   * @param {import('./ways.js').Wish} wish @param {boolean} blocked whether WebRTC found no path the last time
   */
  constructor(url, instance, env, viewerId = null, wish = 'auto', blocked = false) {
    super();
    this.instance = instance;
    this.env = env;
    this.backoff = new Backoff({ random: env.random });
    this.signalling = new Signalling(url, env, viewerId);
    this.#sender = new Sender(env, (seq, now) => this.#carrying.photons.pressed(seq, now));
    const around = {
      env,
      instance,
      signalling: this.signalling,
      backoff: this.backoff,
      facts: () => this.facts,
      /** @param {Input} input */
      input: input => this.#input(input),
      /** @param {string} type @param {unknown} value */
      emit: (type, value) => this.emit(type, value),
      /** @param {string[]} types */
      forget: (...types) => this.forget(...types),
      wanted: () => this.#watching && takesPeers(this.facts.instance?.status),
      /** @param {bigint} t */
      ping: t => this.send({ type: 'ping', t }),
      /** @param {import('./photons.js').Delays} delays */
      report: delays => (delays.click || delays.glass) && this.send({ type: 'latency', ...delays }),
      /** @param {import('./protocol.js').InstanceMessage} status */
      status: status => this.#instance(status),
      /** @param {string} reason */
      closed: reason => this.#closed(reason),
      /** @param {string} code */
      putOut: code => this.#putOut(code),
      /** @param {string} code @param {string} message */
      fail: (code, message) => this.fail(code, message),
      dropped: () => env.clearTimeout(this.#resumeTimer),
    };
    this.#carrying = new Carrying(around, wish, blocked);
    // A peer that is new knows nothing of what the one before was told.
    this.addEventListener('channel', () => this.#wish !== null && this.#pin());
    this.signalling.addEventListener('open', event => this.#opened(detail(event).greeted));
    this.signalling.addEventListener('lost', event => this.#socketLost(detail(event)));
    this.signalling.addEventListener('message', event => this.#message(detail(event)));
  }

  get shown() {
    return shown(this.facts);
  }

  /** What brings the picture. */
  get peer() {
    return this.#carrying.peer;
  }

  /** Round trips of input and answer. */
  get latency() {
    return this.#carrying.hearing.latency;
  }

  /** How long it takes until something is seen. */
  get photons() {
    return this.#carrying.photons;
  }

  /** A video shows a frame. @param {import('./frame-watch.js').Metadata} metadata @param {number} at ms */
  shows(metadata, at) {
    this.#carrying.shows(metadata, at);
  }

  /** The way that is used, or tried. */
  get way() {
    return this.#carrying.ways.way;
  }

  /** @param {import('./begun.js').Begun | null} [begun] sockets to use first */
  start(begun = null) {
    this.startedAt = this.env.now();
    this.#input({ type: 'start' });
    if (!this.#carrying.ways.any) {
      begun?.signalling.socket.close();
      void begun?.media.then(media => media?.socket.close());
      this.#carrying.impossible();
      return;
    }
    this.#claim = begun?.claim ?? null;
    // First the socket: it connects while the page is busy making the peer.
    this.signalling.start(begun);
    this.#carrying.start(begun?.media);
  }

  stop() {
    this.signalling.send({ type: 'unwatch' });
    this.signalling.stop();
    this.env.clearTimeout(this.#resumeTimer);
    this.#carrying.stop();
    this.#input({ type: 'stop' });
  }

  /** Somebody looks again. */
  wake() {
    this.signalling.wake();
  }

  /**
   * This machine has other networks than before, or none: what went over the old ones may never come back.
   * @param {boolean} [sure] otherwise only the socket is put in doubt: whether it leads anywhere is soon known
   */
  networkChanged(sure = true) {
    const [before, offline] = [this.facts.offline, !this.env.online()];
    if (offline !== before) this.#input({ type: 'offline', offline });
    // Without a network there is no other path to look for; the one in use may be within this machine.
    if (offline) return;
    if (before) this.signalling.moved();
    else this.signalling.wake();
    if (sure || before) this.#carrying.networkChanged(before);
  }

  /**
   * Asks the host anew what this instance is, for instance after a restart was requested. What was shown stays until it
   * answers.
   */
  retry() {
    this.backoff.reset();
    if (this.signalling.open) this.#watch();
    else this.signalling.wake();
  }

  /** Reports a fault found outside, such as a refused session. @param {string} code @param {string} message */
  fail(code, message) {
    this.#input({ type: 'fault', code, message });
  }

  /** @param {import('./protocol.js').ClientMessage} message */
  request(message) {
    this.signalling.send(message);
  }

  /**
   * Sends one input event to the app; nothing where this viewer has no say.
   * @param {import('./frames.js').InputEvent} event
   * @returns {boolean} whether it went out
   */
  send(event) {
    return this.#sender.send(event, this.peer, this.role);
  }

  /**
   * Has the picture come in a form of one's own choice, by this peer and those that follow.
   * @param {string | null} wish a number: one of the instance's `renditions`; otherwise what fits the line
   */
  pin(wish) {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#pin();
  }

  #pin() {
    if (!this.peer?.ready) return;
    const { rung, problem } = rungOf(this.#wish, this.facts.instance?.renditions?.length ?? 1);
    if (problem) this.emit('problem', { code: 'no_such_rendition', message: problem });
    this.send({ type: 'rendition', rung });
  }

  /** @param {boolean} greeted whether it has said that this is to be watched */
  #opened(greeted) {
    this.#carrying.socketOpened();
    this.#input({ type: 'socket', state: 'open' });
    if (!greeted) this.#watch();
    else this.#claim = null;
    this.#carrying.ahead();
  }

  #watch() {
    this.#watching = false;
    const living = this.peer && !this.peer.closed ? this.peer.id : null;
    this.signalling.send({
      type: 'watch',
      instance_id: this.instance,
      ...(living ? { peer_id: living } : {}),
      ...(this.#claim ? { claim: this.#claim } : {}),
    });
    this.#claim = null;
    this.env.clearTimeout(this.#resumeTimer);
    if (living) {
      this.#resumeTimer = this.env.setTimeout(() => this.#carrying.lose('resume_expired'), RESUME_WITHIN_MS);
    }
  }

  /** @param {{retryAt: number | null}} lost */
  #socketLost(lost) {
    this.#watching = false;
    this.env.clearTimeout(this.#resumeTimer);
    this.#carrying.socketLost();
    this.#input({ type: 'socket', state: 'lost', retryAt: lost.retryAt });
    if (lost.retryAt !== null && this.signalling.failedAttempts >= 2) {
      this.dispatchEvent(new CustomEvent('unreachable', { detail: null }));
    }
  }

  /** @param {ServerMessage} message */
  #message(message) {
    switch (message.type) {
      case 'welcome':
        this.#carrying.welcomed(message);
        this.emit('welcome', message);
        break;
      case 'ice_servers':
        void this.#carrying.paths.refresh(message);
        break;
      case 'restart_ice':
        if (message.peer_id === this.peer?.id) this.#carrying.paths.tell('asked');
        break;
      case 'instance':
        this.#watching = true;
        this.#unknownSince = 0;
        this.#instance(message);
        break;
      case 'answer':
        this.#carrying.answered(message);
        break;
      case 'candidate':
        this.#carrying.candidate(message.peer_id, message.candidate);
        break;
      case 'resumed':
        if (message.peer_id !== this.peer?.id) break;
        this.env.clearTimeout(this.#resumeTimer);
        this.#carrying.paths.resumed(this.facts.silent);
        break;
      case 'closed':
        if (message.peer_id === this.peer?.id) this.#closed(message.reason);
        else if (message.peer_id === this.#carrying.lostId) this.#explained(message.reason);
        else this.#carrying.otherClosed(message.peer_id);
        break;
      case 'viewers':
        this.emit('viewers', message);
        break;
      case 'control':
        this.role = message.role;
        this.holder = message.holder;
        this.emit('control', message);
        break;
      case 'error':
        this.#error(message);
        break;
    }
  }

  /** @param {import('./protocol.js').InstanceMessage} message */
  #instance(message) {
    this.#input({ type: 'instance', message });
    this.emit('status', message);
    // What was offered before it was known.
    if (!takesPeers(message.status)) this.#carrying.takeBack();
    this.#carrying.next();
  }

  /** The host has closed, or is about to close, the peer of the moment. @param {string} reason */
  #closed(reason) {
    switch (afterClose(reason)) {
      case 'rename':
        this.#carrying.drop();
        this.signalling.viewerId = null;
        this.signalling.restart();
        break;
      case 'end':
        this.#carrying.drop();
        this.#input({ type: 'closed', reason });
        break;
      case 'leave':
        this.#putOut(reason);
        break;
      case 'wait':
        this.#carrying.lose(reason, GOING_MS);
        break;
      case 'offer':
        // Another host than the one that had it: no fault of the last offers, so nothing to be slow for.
        if (reason === 'resume_expired') this.backoff.reset();
        this.#carrying.lose(reason);
        break;
    }
  }

  /** Why the last peer went, told after the connection itself broke. @param {string} reason */
  #explained(reason) {
    // Superseded by the offer that followed, or requested by the browser's own close: nothing new. Who is put out is told
    // so by an error.
    if (reason === 'superseded' || reason === 'requested' || afterClose(reason) === 'leave') return;
    this.#carrying.lostId = null;
    if (afterClose(reason) === 'end') this.#input({ type: 'closed', reason });
    else this.#input({ type: 'reason', reason });
  }

  /** What let this viewer in has ended; nothing is tried before the host says otherwise. @param {string} code */
  #putOut(code) {
    this.#watching = false;
    this.#carrying.rest();
    this.#carrying.drop();
    this.fail(code, closeWords(code));
  }

  /** @param {{code: string, message: string, retry_after?: number, peer_id?: string}} error */
  #error(error) {
    if (afterClose(error.code) === 'leave') {
      this.#putOut(error.code);
      return;
    }
    // The wish to watch is answered by itself.
    if (this.#carrying.moot(error.code)) return;
    this.emit('problem', error);
    // A host that knows no restart has no id for what it refuses.
    if (error.code === 'unknown_type' || (error.peer_id && error.peer_id === this.peer?.id)) {
      if (error.code !== 'bad_candidate') this.#carrying.paths.refused();
      return;
    }
    if (error.peer_id && error.peer_id !== this.peer?.id) return;
    const now = this.env.now();
    if (error.code === 'unknown_instance' && this.facts.seen) {
      this.#unknownSince ||= now;
      if (now - this.#unknownSince < ADOPTION_MS) {
        this.env.clearTimeout(this.#resumeTimer);
        this.#resumeTimer = this.env.setTimeout(
          () => this.signalling.open && this.#watch(),
          this.backoff.next(),
        );
        return;
      }
    }
    if (!this.#watching) {
      this.#carrying.drop();
      this.fail(error.code, error.message);
      if (error.retry_after)
        this.#resumeTimer = this.env.setTimeout(() => this.retry(), error.retry_after * 1000);
    } else if (this.#carrying.awaits && !error.code.startsWith('control')) {
      this.#carrying.refusedOffer(error);
    }
  }

  /** @param {Input} input */
  #input(input) {
    this.facts = step(this.facts, input, this.env.now());
    const now = this.shown;
    const key = JSON.stringify(now);
    if (key === this.#lastShown) return;
    this.#lastShown = key;
    this.emit('change', now);
  }
}

/** @param {Event} event */
const detail = event => /** @type {CustomEvent} */ (event).detail;
