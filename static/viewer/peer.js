/**
 * One peer connection: receives the picture, carries input. A new one is made for every offer.
 *
 * Events: `state` (detail: RTCPeerConnectionState), `track` (detail: MediaStreamTrack), `candidate` (detail:
 * RTCIceCandidateInit or null), `channel` (the `input` channel opened), `message` (detail: ArrayBuffer), `hopeless`
 * (only relays may be tried, and there is none).
 */

import { Copies } from './copies.js';
import { rtpOffset } from './frames.js';

/** @typedef {{iceServers: RTCIceServer[], iceTransportPolicy: RTCIceTransportPolicy}} Ice */

/** overflow: a move is dropped, the next one carries the newer position anyway. */
const MOVES_BUFFERED_LIMIT = 4096;
/** overflow: what may be dropped is dropped (`send` says so); releases are always queued. */
const INPUT_BUFFERED_LIMIT = 65536;
/** overflow: further candidates are dropped; 64 are more than any machine's interfaces have. */
const CANDIDATE_LIMIT = 64;
/** A restart of a connection that works has its candidates gathered before the host hears of it, for at most this long. */
const GATHER_WITHIN_MS = 2000;
/** overflow: further ones are dropped; a handful says all. */
const ERROR_LIMIT = 16;

export class Peer extends EventTarget {
  /** @type {'webrtc'} */
  kind = 'webrtc';
  /** @type {string | null} the host's name for it, known from the answer on */
  id = null;
  closed = false;
  /** The RTP time of the host's time 0, once it has said. @type {number | null} */
  rtpOffset = null;
  /** @type {(RTCIceCandidateInit | null)[]} */
  #mine = [];
  /** @type {(RTCIceCandidateInit | null)[]} */
  #theirs = [];
  #accepted = false;
  /** Whether the host has, or is about to have, the description that the candidates found belong to. */
  #known = false;
  /** @type {(() => void) | null} */
  #gathered = null;
  /** Whether it has begun to look for paths. */
  #seeks = false;
  /** @type {import('./diagnosis.js').Evidence} */
  #evidence = { servers: [], policy: 'all', found: [], errors: [] };
  #copies;

  /** @param {typeof RTCPeerConnection} Connection @param {import('./signalling.js').Env} env */
  constructor(Connection, env) {
    super();
    this.env = env;
    this.#copies = new Copies(env, frame => this.send(frame, 'moves'));
    this.connection = new Connection({ bundlePolicy: 'max-bundle' });
    const { receiver } = this.connection.addTransceiver('video', { direction: 'recvonly' });
    playAtOnce(receiver);
    this.input = this.connection.createDataChannel('input', { ordered: true });
    this.moves = this.connection.createDataChannel('moves', { ordered: false, maxRetransmits: 0 });
    this.input.binaryType = 'arraybuffer';
    this.input.onopen = () => this.#emit('channel', null);
    this.input.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return;
      // Said as soon as the channel is open, when nobody may listen yet.
      this.rtpOffset ??= rtpOffset(data);
      this.#emit('message', data);
    };
    this.connection.onconnectionstatechange = () => this.#emit('state', this.connection.connectionState);
    this.connection.ontrack = ({ track, receiver: by }) => {
      playAtOnce(by);
      this.#emit('track', track);
    };
    this.connection.onicecandidate = ({ candidate }) => this.#found(candidate);
    this.connection.onicecandidateerror = ({ errorCode, url }) => {
      const { errors } = this.#evidence;
      if (errors.length < ERROR_LIMIT) errors.push({ code: errorCode, url: url ?? '' });
    };
    // Begun here, so that it is ready when the host has said welcome; gathering starts with `offer`.
    this.offered = this.connection.createOffer();
    this.offered.catch(() => {});
  }

  /** Whether it can be steered by. */
  get ready() {
    return this.input.readyState === 'open';
  }

  get state() {
    return this.connection.connectionState;
  }

  /** What is known, should no path be found. */
  get evidence() {
    return this.#evidence;
  }

  /** Which paths may be looked for from now on. @param {Ice} ice */
  configure({ iceServers, iceTransportPolicy }) {
    this.#evidence.servers = iceServers;
    this.#evidence.policy = iceTransportPolicy;
    if (iceServers.length === 0 && iceTransportPolicy === 'all') return;
    try {
      this.connection.setConfiguration({
        ...this.connection.getConfiguration(),
        iceServers,
        iceTransportPolicy,
      });
    } catch {
      // A server's address that this browser does not take: paths without it are still paths.
      this.#evidence.errors.push({ code: 0, url: '' });
    }
  }

  /**
   * Starts gathering and returns the SDP to send.
   * @param {Ice} ice
   */
  async offer(ice) {
    const sdp = await this.describe();
    await this.seek(ice);
    return sdp;
  }

  /** The SDP to send, which says nothing of paths. */
  async describe() {
    return (await this.offered).sdp ?? '';
  }

  /**
   * Starts gathering, once. Before the answer: with what is known of servers then, it is as soon as the host has said welcome.
   * @param {Ice} ice
   */
  async seek(ice) {
    if (this.#seeks) return;
    this.#seeks = true;
    const offer = await this.offered;
    this.configure(ice);
    // Not waited for: the host may have the description meanwhile, and its answer is applied after this by the
    // connection's own order of operations (W3C WebRTC 4.4.1.2), or refused if this fails.
    this.connection.setLocalDescription(offer).catch(() => {});
  }

  /**
   * The host's answer: from now on candidates flow.
   * @param {string} peerId @param {string} sdp
   */
  async accept(peerId, sdp) {
    this.id = peerId;
    await this.#answered(sdp);
  }

  /**
   * Begins an ICE restart and returns the SDP to send. The paths in use stay in use until the host has answered.
   * @param {Ice} ice
   * @param {boolean} patient whether to gather first, so that the host leaves a path that works only for one that does
   */
  async restart(ice, patient) {
    this.configure(ice);
    this.#accepted = this.#known = false;
    // Those of a restart that this one overtakes.
    this.#mine = [];
    this.#theirs = [];
    this.#evidence.found = [];
    this.#evidence.errors = [];
    const gathered = /** @type {Promise<void>} */ (
      new Promise(resolve => {
        this.#gathered = resolve;
      })
    );
    await this.connection.setLocalDescription(await this.connection.createOffer({ iceRestart: true }));
    if (patient) {
      const timer = this.env.setTimeout(() => this.#gathered?.(), GATHER_WITHIN_MS);
      await gathered;
      this.env.clearTimeout(timer);
    }
    return this.connection.localDescription?.sdp ?? '';
  }

  /** The host's answer to a restart. @param {string} sdp */
  async restarted(sdp) {
    await this.#answered(sdp);
  }

  /** Takes back a restart that the host does not answer. */
  async undo() {
    this.#mine = [];
    if (this.closed || this.connection.signalingState !== 'have-local-offer') return;
    await this.connection.setLocalDescription({ type: 'rollback' });
    this.#accepted = this.#known = true;
    for (const candidate of this.#theirs.splice(0)) this.#add(candidate);
  }

  /** Whether what is received comes through a TURN server of this side. */
  async relayed() {
    const stats = await this.connection.getStats();
    const transport = [...stats.values()].find(s => s.type === 'transport' && s.selectedCandidatePairId);
    const pair = stats.get(transport?.selectedCandidatePairId);
    return stats.get(pair?.localCandidateId)?.candidateType === 'relay';
  }

  /** @param {string} sdp */
  async #answered(sdp) {
    this.#known = true;
    for (const candidate of this.#mine.splice(0)) this.#emit('candidate', candidate);
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
    this.#accepted = true;
    for (const candidate of this.#theirs.splice(0)) this.#add(candidate);
  }

  /** @param {RTCIceCandidateInit | null} candidate of the host; null: it has no more */
  addCandidate(candidate) {
    if (this.#accepted) this.#add(candidate);
    else if (this.#theirs.length < CANDIDATE_LIMIT) this.#theirs.push(candidate);
  }

  /**
   * Sends a frame, on `moves` where it may get lost and on `input` otherwise.
   * @param {Uint8Array<ArrayBuffer>} frame
   * @param {'moves' | 'droppable' | 'reliable'} how
   * @returns {boolean} whether it was handed to a channel
   */
  send(frame, how) {
    const channel = how === 'moves' ? this.moves : this.input;
    if (channel.readyState !== 'open') return false;
    if (how === 'moves' && channel.bufferedAmount > MOVES_BUFFERED_LIMIT) return false;
    if (how === 'droppable' && channel.bufferedAmount > INPUT_BUFFERED_LIMIT) return false;
    try {
      channel.send(frame);
      if (how !== 'moves') this.#copies.sent(frame);
      return true;
    } catch {
      return false;
    }
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    const c = this.connection;
    c.onconnectionstatechange = c.ontrack = c.onicecandidate = c.onicecandidateerror = null;
    this.input.onopen = this.input.onmessage = null;
    c.close();
  }

  /** @param {RTCIceCandidate | null} found */
  #found(found) {
    const candidate = found?.toJSON() ?? null;
    if (candidate?.candidate) this.#evidence.found.push(found?.type ?? 'host');
    else if (!candidate && this.#evidence.found.length === 0 && this.#evidence.policy === 'relay') {
      // Otherwise ICE may connect all the same, by a peer-reflexive candidate: a browser without a default route names
      // none of its own.
      this.#emit('hopeless', null);
    }
    if (!candidate) this.#gathered?.();
    if (this.#known) this.#emit('candidate', candidate);
    else if (this.#mine.length < CANDIDATE_LIMIT) this.#mine.push(candidate);
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  #add(candidate) {
    if (this.closed) return;
    // One bad candidate is no reason to give up: another one, or a peer-reflexive one, may connect.
    this.connection.addIceCandidate(candidate ?? undefined).catch(() => {});
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    if (!this.closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * No waiting for smoothness: every frame is shown as soon as it is decoded.
 * @param {RTCRtpReceiver} receiver
 */
function playAtOnce(receiver) {
  const hints = /** @type {{jitterBufferTarget?: number | null, playoutDelayHint?: number | null}} */ (
    receiver
  );
  try {
    hints.jitterBufferTarget = 0;
  } catch {
    // Older browsers have only the hint below.
  }
  try {
    hints.playoutDelayHint = 0;
  } catch {
    // Not in Firefox.
  }
}
