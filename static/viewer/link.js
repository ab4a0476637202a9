import { Backoff } from '../lib/backoff.js';
import { afterClose, closeWords } from './close-reasons.js';
import { ADOPTION_MS, CONNECT_WITHIN_MS, GOING_MS, RESUME_WITHIN_MS, STEADY_MS } from './deadlines.js';
import { diagnose } from './diagnosis.js';
import { decodeHost } from './frames.js';
import { Latency } from './latency.js';
import { Paths } from './paths.js';
import { Peer } from './peer.js';
import { takesPeers } from './protocol.js';
import { Pulse } from './pulse.js';
import { Retelling } from './retelling.js';
import { Sender } from './sender.js';
import { Signalling } from './signalling.js';
import { initial, shown, step } from './states.js';

/** @typedef {import('./signalling.js').Env} Env */
/** @typedef {import('./states.js').Input} Input */
/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */

/** Errors that are the answer to an offer and that another offer does not mend. */
const OFFER_FAULTS = new Set(['no_common_codec', 'bad_sdp']);

/**
 * One viewer's connection to one instance: signalling, the peer of the moment, and the state to show.
 *
 * It re-offers with back-off whenever the peer is lost, and takes the living peer over after a dropped socket.
 *
 * Events: `change` (detail: Shown), `welcome`, `status` (InstanceMessage), `viewers`, `control`, `problem`
 * (`{code, message}`), `offer` (it is on its way), `track` (MediaStreamTrack), `peer` (Peer), `channel` (the `input`
 * channel is open), `latency` (ms).
 */
export class Link extends Retelling {
  facts = initial();
  /** When it was started, ms of `env.now()`. */
  startedAt = 0;
  /** @type {Peer | null} */
  peer = null;
  /** @type {import('./protocol.js').Role | null} */
  role = null;
  /** @type {string | null} viewer id of who has control */
  holder = null;
  latency = new Latency();
  #paths;
  /** Offers of this socket that have no answer yet, oldest first. @type {Peer[]} */
  #pending = [];
  #watching = false;
  #offering = false;
  #offerTimer = 0;
  #peerTimer = 0;
  #resumeTimer = 0;
  #pulse;
  /** @type {number | null} */
  #connectedAt = null;
  #unknownSince = 0;
  /** The last peer that was lost or dropped. @type {string | null} */
  #lostId = null;
  #sender;
  #lastShown = '';

  /** @param {string} url of the socket @param {string} instance @param {Env} env @param {string | null} viewerId */
  constructor(url, instance, env, viewerId = null) {
    super();
    this.instance = instance;
    this.env = env;
    this.backoff = new Backoff({ random: env.random });
    this.signalling = new Signalling(url, env, viewerId);
    this.#sender = new Sender(env);
    this.#pulse = new Pulse(env, {
      ping: () => this.send({ type: 'ping', t: this.latency.ping(env.now()) }),
      silent: () => this.#silent(),
    });
    this.#paths = new Paths({
      env,
      peer: () => this.peer,
      send: message => this.signalling.send(message),
      lose: reason => this.#lose(reason),
      changed: rung => this.#input({ type: 'rung', rung }),
    });
    this.signalling.addEventListener('open', () => this.#opened());
    this.signalling.addEventListener('lost', event => this.#socketLost(detail(event)));
    this.signalling.addEventListener('message', event => this.#message(detail(event)));
  }

  get shown() {
    return shown(this.facts);
  }

  /** @param {WebSocket | null} [begun] a socket to use first */
  start(begun = null) {
    this.startedAt = this.env.now();
    this.#input({ type: 'start' });
    if (!this.env.RTCPeerConnection) {
      this.#input({ type: 'fault', code: 'unsupported_browser', message: '' });
      return;
    }
    // First the socket: it connects while the page is busy making the peer.
    this.signalling.start(begun);
    this.#prepare();
  }

  stop() {
    this.signalling.send({ type: 'unwatch' });
    this.signalling.stop();
    for (const timer of [this.#offerTimer, this.#resumeTimer]) this.env.clearTimeout(timer);
    this.#offerTimer = 0;
    this.#dropPeer();
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
    if (this.peer?.id && (sure || before)) this.#paths.tell(before ? 'anew' : 'network');
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

  #opened() {
    this.#pending = [];
    // Another socket may lead to another host: what the last one could not take, this one may.
    this.env.clearTimeout(this.#offerTimer);
    this.#offerTimer = 0;
    this.#input({ type: 'socket', state: 'open' });
    this.#watch();
  }

  #watch() {
    this.#watching = false;
    const living = this.peer && !this.peer.closed ? this.peer.id : null;
    this.signalling.send({
      type: 'watch',
      instance_id: this.instance,
      ...(living ? { peer_id: living } : {}),
    });
    this.env.clearTimeout(this.#resumeTimer);
    if (living) {
      this.#resumeTimer = this.env.setTimeout(() => this.#lose('resume_expired'), RESUME_WITHIN_MS);
    }
  }

  /** @param {{retryAt: number | null}} lost */
  #socketLost(lost) {
    this.#watching = false;
    this.#paths.socketLost();
    this.env.clearTimeout(this.#resumeTimer);
    // An offer without an answer died with its socket.
    if (this.peer && !this.peer.id && this.#pending.includes(this.peer)) this.#dropPeer();
    this.#pending = [];
    this.#input({ type: 'socket', state: 'lost', retryAt: lost.retryAt });
    if (lost.retryAt !== null && this.signalling.failedAttempts >= 2) {
      this.dispatchEvent(new CustomEvent('unreachable', { detail: null }));
    }
  }

  /** @param {ServerMessage} message */
  #message(message) {
    switch (message.type) {
      case 'welcome':
        this.#paths.configure(message);
        this.emit('welcome', message);
        break;
      case 'ice_servers':
        void this.#paths.refresh(message);
        break;
      case 'restart_ice':
        if (message.peer_id === this.peer?.id) this.#paths.tell('asked');
        break;
      case 'instance':
        this.#watching = true;
        this.#unknownSince = 0;
        this.#instance(message);
        break;
      case 'answer':
        this.#answered(message);
        break;
      case 'candidate':
        if (message.peer_id === this.peer?.id) this.peer.addCandidate(message.candidate);
        break;
      case 'resumed':
        if (message.peer_id !== this.peer?.id) break;
        this.env.clearTimeout(this.#resumeTimer);
        this.#paths.resumed(this.facts.silent);
        break;
      case 'renegotiate':
        this.#lose('fault');
        break;
      case 'closed':
        if (message.peer_id === this.peer?.id) this.#closed(message.reason);
        else if (message.peer_id === this.#lostId) this.#explained(message.reason);
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
    this.#maybeOffer();
  }

  /** The host has closed, or is about to close, the peer of the moment. @param {string} reason */
  #closed(reason) {
    switch (afterClose(reason)) {
      case 'rename':
        this.#dropPeer();
        this.signalling.viewerId = null;
        this.signalling.restart();
        break;
      case 'end':
        this.#dropPeer();
        this.#input({ type: 'closed', reason });
        break;
      case 'leave':
        this.#putOut(reason);
        break;
      case 'wait':
        this.#lose(reason, GOING_MS);
        break;
      case 'offer':
        // Another host than the one that had it: no fault of the last offers, so nothing to be slow for.
        if (reason === 'resume_expired') this.backoff.reset();
        this.#lose(reason);
        break;
    }
  }

  /** Why the last peer went, told after the connection itself broke. @param {string} reason */
  #explained(reason) {
    // Superseded by the offer that followed, or requested by the browser's own close: nothing new. Who is put out is told
    // so by an error.
    if (reason === 'superseded' || reason === 'requested' || afterClose(reason) === 'leave') return;
    this.#lostId = null;
    if (afterClose(reason) === 'end') this.#input({ type: 'closed', reason });
    else this.#input({ type: 'reason', reason });
  }

  /** What let this viewer in has ended; nothing is tried before the host says otherwise. @param {string} code */
  #putOut(code) {
    this.#watching = false;
    this.env.clearTimeout(this.#offerTimer);
    this.#offerTimer = 0;
    this.#dropPeer();
    this.fail(code, closeWords(code));
  }

  /** @param {{code: string, message: string, retry_after?: number, peer_id?: string}} error */
  #error(error) {
    if (afterClose(error.code) === 'leave') {
      this.#putOut(error.code);
      return;
    }
    this.emit('problem', error);
    // A host that knows no restart has no id for what it refuses.
    if (error.code === 'unknown_type' || (error.peer_id && error.peer_id === this.peer?.id)) {
      if (error.code !== 'bad_candidate') this.#paths.refused();
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
      this.#dropPeer();
      this.fail(error.code, error.message);
      if (error.retry_after)
        this.#resumeTimer = this.env.setTimeout(() => this.retry(), error.retry_after * 1000);
    } else if (this.#pending.length > 0 && !error.code.startsWith('control')) {
      const failed = this.#pending.shift();
      if (failed !== this.peer) return;
      this.#dropPeer();
      if (OFFER_FAULTS.has(error.code)) this.fail(error.code, error.message);
      // What a host that is going refuses, it refuses for that.
      else if (this.facts.away === 'host_shutdown') this.#lose('host_shutdown', GOING_MS);
      else this.#lose(error.code, (error.retry_after ?? 0) * 1000);
    }
  }

  /** The current peer is of no more use: a new offer, at once or after a while. @param {string} reason @param {number} [atLeast] ms */
  #lose(reason, atLeast = 0) {
    const now = this.env.now();
    const steady = this.#connectedAt !== null && now - this.#connectedAt > STEADY_MS;
    if (steady) this.backoff.reset();
    const never = reason === 'ice_failed' && this.#connectedAt === null;
    const path = never && this.peer ? diagnose(this.peer.evidence) : null;
    this.#dropPeer();
    this.#connectedAt = null;
    this.#input({ type: 'closed', reason });
    if (path) this.#input({ type: 'path', path });
    this.#paths.tell('lost');
    if (this.#offerTimer) return;
    const delay = Math.max(steady ? 0 : this.backoff.next(), atLeast);
    this.#input({ type: 'retry', at: delay > 1000 ? now + delay : null });
    this.#offerTimer = this.env.setTimeout(() => {
      this.#offerTimer = 0;
      this.#maybeOffer();
    }, delay);
  }

  #dropPeer() {
    this.#lostId = this.peer?.id ?? this.#lostId;
    for (const timer of [this.#peerTimer, this.#resumeTimer]) this.env.clearTimeout(timer);
    this.#pulse.stop();
    this.#paths.drop();
    this.peer?.close();
    this.peer = null;
    this.forget('track', 'channel');
    this.latency.reset();
  }

  /** Makes the next peer ahead of time, so that its offer is ready when the host is. */
  #prepare() {
    const peer = new Peer(this.env.RTCPeerConnection, this.env);
    this.peer = peer;
    peer.addEventListener('state', event => this.#peerState(peer, detail(event)));
    peer.addEventListener('track', event => this.emit('track', detail(event)));
    peer.addEventListener('candidate', event =>
      this.signalling.send({ type: 'candidate', peer_id: peer.id, candidate: detail(event) }),
    );
    peer.addEventListener('channel', () => {
      this.emit('channel', null);
      this.#pulse.start();
      this.#peerState(peer, peer.connection.connectionState);
    });
    peer.addEventListener('message', event => this.#frame(detail(event)));
    peer.addEventListener('hopeless', () => {
      if (peer === this.peer && this.#connectedAt === null) this.#lose('ice_failed');
    });
    this.emit('peer', peer);
    return peer;
  }

  #maybeOffer() {
    if (!this.#watching || this.#offerTimer || this.#offering || !takesPeers(this.facts.instance?.status))
      return;
    if (this.peer && (this.peer.id || this.#pending.includes(this.peer))) return;
    this.#offering = true;
    void this.#offer(this.peer ?? this.#prepare());
  }

  /** @param {Peer} peer */
  async #offer(peer) {
    this.#input({ type: 'peer', state: 'connecting' });
    try {
      const sdp = await peer.offer(this.#paths.ice);
      this.#offering = false;
      if (peer !== this.peer || !this.#watching) {
        this.#maybeOffer();
        return;
      }
      this.#pending.push(peer);
      this.signalling.send({ type: 'offer', sdp });
      this.emit('offer', null);
      this.#expectConnected(peer);
    } catch {
      this.#offering = false;
      if (peer === this.peer) this.#lose('fault');
    }
  }

  /** @param {{peer_id: string, sdp: string}} answer */
  #answered(answer) {
    if (answer.peer_id === this.peer?.id) {
      void this.#paths.answered(answer.sdp);
      return;
    }
    const peer = this.#pending.shift();
    // Its offer was given up meanwhile; the host ends it when the next one comes.
    if (!peer || peer !== this.peer) return;
    peer.accept(answer.peer_id, answer.sdp).catch(() => {
      if (peer === this.peer) this.#lose('fault');
    });
  }

  /** @param {Peer} peer */
  #expectConnected(peer) {
    this.env.clearTimeout(this.#peerTimer);
    this.#peerTimer = this.env.setTimeout(
      () => peer === this.peer && this.#lose('ice_failed'),
      CONNECT_WITHIN_MS,
    );
  }

  /** @param {Peer} peer @param {RTCPeerConnectionState} state */
  #peerState(peer, state) {
    if (peer !== this.peer) return;
    if (state === 'connected') {
      // Not before it can be steered, too: what is clicked until then would be lost.
      if (peer.input.readyState !== 'open') return;
      this.env.clearTimeout(this.#peerTimer);
      this.#connectedAt = this.env.now();
      this.#input({ type: 'peer', state: 'connected' });
      this.#paths.tell('connected');
    } else if (state === 'disconnected' || (state === 'failed' && this.#connectedAt !== null)) {
      this.#input({ type: 'peer', state: 'interrupted' });
      this.signalling.suspect();
      this.#paths.tell(state === 'failed' ? 'failed' : 'interrupted');
    } else if (state === 'failed' || state === 'closed') {
      this.#lose('ice_failed');
    }
  }

  #silent() {
    if (this.facts.silent) return;
    this.#input({ type: 'silent', silent: true });
    this.#paths.tell('silent');
    // What has taken the path may have taken the socket along, over which the way back is agreed on.
    this.signalling.suspect();
  }

  /** @param {ArrayBuffer} data */
  #frame(data) {
    const frame = decodeHost(data);
    this.#pulse.heard();
    if (this.facts.silent) {
      this.#input({ type: 'silent', silent: false });
      this.#paths.tell('connected');
    }
    if (frame?.type === 'pong') {
      this.latency.pong(frame.t, this.env.now());
      this.emit('latency', this.latency.value);
    } else if (frame?.type === 'status') {
      this.#instance(frame.status);
    } else if (frame?.type === 'closed') {
      this.#closed(frame.reason);
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
