import { afterClose } from './close-reasons.js';
import { BLOCKED_MS, CONNECT_WITHIN_MS, DOUBT_MS, GOING_MS, STEADY_MS } from './deadlines.js';
import { diagnose } from './diagnosis.js';
import { shownFrame } from './frame-watch.js';
import { Hearing } from './hearing.js';
import { Paths } from './paths.js';
import { Peer } from './peer.js';
import { Photons } from './photons.js';
import { Trial } from './trial.js';
import { WayKeeper } from './way-keeper.js';

/**
 * What brings the picture and takes the input, whichever way.
 * @typedef {Peer | import('./media-peer.js').MediaPeer | import('./vnc-peer.js').VncPeer} Transport
 */

/** What most viewers never need: loaded when it may be. */
const byWebSocket = () => import('./media-peer.js');
/** Needed by fewer still, and larger: loaded when it is. */
const byVnc = () => Promise.all([import('./vnc-peer.js'), import('./vnc-screen.js')]);

/** What was measured is told the host with each so many pings. */
const REPORT_EVERY = 3;

/** Errors that are the answer to an offer and that another offer does not mend. */
const OFFER_FAULTS = new Set(['no_common_codec', 'bad_sdp', 'transport_not_offered']);
/** Why a connection is gone that has, or finds, no path. */
const PATHLESS = new Set(['ice_failed', 'no_udp_port', 'no_media_address']);

/**
 * Has the picture come and the input go, by whatever way there is: makes the next peer whenever one is lost, with back-off, and
 * tries a better way while a worse one works.
 */
export class Carrying {
  /** @type {Transport | null} */
  peer = null;
  paths;
  ways;
  hearing;
  photons = new Photons();
  /** The last peer that was lost or dropped. @type {string | null} */
  lostId = null;
  /** @type {Trial | null} */
  #trial = null;
  /** Why WebRTC found no path, for when nothing else does. @type {import('./diagnosis.js').Diagnosis | null} */
  #noPath = null;
  /** Offers of this socket that have no answer yet, oldest first. @type {Peer[]} */
  #pending = [];
  #offering = false;
  #pings = 0;
  #offerTimer = 0;
  #peerTimer = 0;
  #doubtTimer = 0;
  /** @type {number | null} */
  #connectedAt = null;

  /**
   * @param {import('./link.js').Surroundings} around @param {import('./ways.js').Wish} wish
   * @param {boolean} blocked whether WebRTC found no path the last time
   */
  constructor(around, wish, blocked) {
    this.around = around;
    this.env = around.env;
    this.hearing = new Hearing(this.env, {
      ping: t => {
        around.ping(t);
        this.#pings += 1;
        if (this.#pings % REPORT_EVERY === 0) around.report(this.photons.figures(this.env.now()));
      },
      silent: () => this.#silent(),
      heard: () => this.#heard(),
      latency: ms => around.emit('latency', ms),
      shown: told => this.photons.told(told, this.hearing.clock.offset, this.env.now()),
      status: around.status,
      closed: around.closed,
    });
    this.ways = new WayKeeper(
      this.env,
      wish,
      {
        fall: () => this.lose('ice_failed'),
        attempt: () => this.#try(),
        impossible: () => this.impossible(),
      },
      blocked,
    );
    this.paths = new Paths({
      env: this.env,
      peer: () => this.#webrtc,
      send: message => around.signalling.send(message),
      lose: reason => this.lose(reason),
      changed: rung => around.input({ type: 'rung', rung }),
    });
  }

  get #webrtc() {
    return this.peer?.kind === 'webrtc' ? this.peer : null;
  }

  get #media() {
    return this.peer && this.peer.kind !== 'webrtc' ? this.peer : null;
  }

  /** A video shows a frame. @param {import('./frame-watch.js').Metadata} metadata @param {number} at ms */
  shows(metadata, at) {
    const { offset } = this.hearing.clock;
    const now = this.env.now();
    const frame = shownFrame(metadata, at, this.#webrtc?.rtpOffset ?? null, offset, now);
    if (frame) this.photons.shown(frame, offset, now);
  }

  /** Makes the first peer ahead of time, so that its offer is ready when the host is, or has what it takes loaded. */
  start() {
    if (this.ways.way === 'webrtc') this.#prepare();
    else if (this.ways.way === 'websocket') void byWebSocket().catch(() => {});
  }

  stop() {
    this.rest();
    this.drop();
    this.ways.stop();
  }

  /** Nothing is offered before it is wanted anew. */
  rest() {
    this.env.clearTimeout(this.#offerTimer);
    this.#offerTimer = 0;
  }

  /** There is another socket: what the last one could not take, this one may. */
  socketOpened() {
    this.#pending = [];
    this.rest();
  }

  socketLost() {
    this.paths.socketLost();
    // An offer without an answer died with its socket.
    if (this.#webrtc && !this.#webrtc.id && this.#pending.includes(this.#webrtc)) this.drop();
    if (this.#trial && !this.#trial.peer.id) this.#trial.end();
    this.#pending = [];
  }

  /** @param {boolean} anew whether there was none before */
  networkChanged(anew) {
    this.ways.tell('network');
    this.#media?.suspect(DOUBT_MS);
    if (this.#webrtc?.id) this.paths.tell(anew ? 'anew' : 'network');
  }

  /** @param {string} peer @param {RTCIceCandidateInit | null} candidate of the host */
  candidate(peer, candidate) {
    for (const one of [this.#webrtc, this.#trial?.peer]) if (one?.id === peer) one.addCandidate(candidate);
  }

  /** A peer that is not the one of the moment was closed. @param {string} peer */
  otherClosed(peer) {
    if (peer === this.#trial?.peer.id) this.#trial.end();
  }

  /**
   * The host refuses something: whether it was an offer.
   * @param {{code: string, message: string, retry_after?: number}} error
   */
  refusedOffer(error) {
    const failed = this.#pending.shift();
    if (failed && failed === this.#trial?.peer) this.#trial.end();
    if (!failed || failed !== this.peer) return;
    this.drop();
    if (OFFER_FAULTS.has(error.code)) this.around.fail(error.code, error.message);
    // What a host that is going refuses, it refuses for that.
    else if (this.around.facts().away === 'host_shutdown') this.lose('host_shutdown', GOING_MS);
    else this.lose(error.code, (error.retry_after ?? 0) * 1000);
  }

  /**
   * The current peer is of no more use: another one, at once or after a while.
   * @param {string} reason @param {number} [atLeast] ms
   * @param {import('./ways.js').Event} [event] what that means for the way
   */
  lose(reason, atLeast = 0, event = PATHLESS.has(reason) ? 'pathless' : 'gone') {
    const { env, around } = this;
    const now = env.now();
    const steady = this.#connectedAt !== null && now - this.#connectedAt > STEADY_MS;
    if (steady) around.backoff.reset();
    const never = reason === 'ice_failed' && this.#connectedAt === null;
    if (never && this.#webrtc) this.#noPath = diagnose(this.#webrtc.evidence, this.ways.lack);
    this.drop();
    this.#connectedAt = null;
    around.input({ type: 'closed', reason });
    const other = this.ways.tell(event);
    // While another way is left, it is no matter.
    if (never && this.#noPath && !(other && this.ways.way !== 'webrtc'))
      around.input({ type: 'path', path: this.#noPath });
    this.paths.tell('lost');
    if (this.#offerTimer) return;
    const delay = Math.max(steady || other ? 0 : around.backoff.next(), atLeast);
    around.input({ type: 'retry', at: delay > 1000 ? now + delay : null });
    this.#offerTimer = env.setTimeout(() => {
      this.#offerTimer = 0;
      this.next();
    }, delay);
  }

  /** Lets go of what there is. */
  drop() {
    this.#trial?.end();
    this.lostId = this.peer?.id ?? this.lostId;
    for (const timer of [this.#peerTimer, this.#doubtTimer]) this.env.clearTimeout(timer);
    this.hearing.stop();
    this.photons.forget();
    this.paths.drop();
    this.peer?.close();
    this.peer = null;
    this.around.forget('track', 'canvas', 'channel', 'way');
    this.around.dropped();
  }

  /** Makes the next peer, if one is wanted and there is none. */
  next() {
    if (!this.around.wanted() || this.#offerTimer || this.#offering) return;
    if (this.#media || this.peer?.id || (this.#webrtc && this.#pending.includes(this.#webrtc))) return;
    if (!this.ways.any) {
      this.impossible();
      return;
    }
    this.#offering = true;
    if (this.ways.way !== 'webrtc') void this.#open();
    else void this.#offer(this.#webrtc ?? this.#prepare());
  }

  /** @param {{peer_id: string, sdp: string}} answer */
  answered(answer) {
    if (answer.peer_id === this.#webrtc?.id) {
      void this.paths.answered(answer.sdp);
      return;
    }
    const peer = this.#pending.shift();
    const trial = this.#trial;
    // Its offer was given up meanwhile; the host ends it when the next one comes.
    if (!peer || (peer !== this.peer && peer !== trial?.peer)) return;
    // From here on it is the path that is waited for, and no longer the host.
    if (peer === this.peer) this.ways.tell('begun');
    peer.accept(answer.peer_id, answer.sdp).catch(() => {
      if (peer === this.peer) this.lose('fault');
      else if (peer === trial?.peer) trial.end();
    });
  }

  /** Whether an offer has no answer yet. */
  get awaits() {
    return this.#pending.length > 0;
  }

  /** What the host lets the picture come by. @param {string[]} [transports] a host that does not say has no VNC */
  offered(transports = ['webrtc', 'websocket']) {
    const { way } = this.ways;
    this.ways.offered(transports);
    if (this.ways.way !== way) this.drop();
  }

  /** No way is left that may be tried. */
  impossible() {
    const { wish, lack } = this.ways;
    const lacking = lack === 'insecure' ? 'webcodecs_insecure' : 'no_webcodecs';
    this.drop();
    const why = {
      auto: 'unsupported_browser',
      webrtc: 'unsupported_browser',
      websocket: lacking,
      vnc: 'no_vnc',
    };
    this.around.fail(why[wish], '');
  }

  #prepare() {
    return this.#use(new Peer(this.env.RTCPeerConnection, this.env));
  }

  /**
   * From now on the picture is expected of this one.
   * @template {Transport} T
   * @param {T} peer
   */
  #use(peer) {
    const { around } = this;
    this.peer = peer;
    /** @param {string} type @param {(detail: any) => void} run */
    const on = (type, run) =>
      peer.addEventListener(type, event => {
        if (peer === this.peer) run(/** @type {CustomEvent} */ (event).detail);
      });
    on('state', state => this.#state(peer, state));
    for (const type of ['track', 'canvas']) on(type, picture => around.emit(type, picture));
    on('candidate', candidate => around.signalling.send({ type: 'candidate', peer_id: peer.id, candidate }));
    on('channel', () => this.#channel(peer));
    on('message', data => this.hearing.frame(data));
    on('frame', frame => this.photons.shown(frame, this.hearing.clock.offset, this.env.now()));
    on('hopeless', () => this.#connectedAt === null && this.lose('ice_failed'));
    on('refused', refusal => this.#refused(refusal));
    on('undecodable', () => this.#without('websocket', 'no_webcodecs'));
    around.emit('peer', peer);
    return peer;
  }

  /** @param {Transport} peer */
  #channel(peer) {
    this.around.emit('channel', null);
    this.hearing.start();
    this.#state(peer, peer.state);
  }

  /** @param {Peer} peer */
  async #offer(peer) {
    const { around } = this;
    around.input({ type: 'peer', state: 'connecting' });
    try {
      const sdp = await peer.offer(this.paths.ice);
      this.#offering = false;
      if (peer !== this.peer || !around.wanted()) {
        this.next();
        return;
      }
      this.#pending.push(peer);
      around.signalling.send({ type: 'offer', sdp });
      around.emit('offer', null);
      this.#expect(peer);
      if (this.ways.second === 'websocket') void byWebSocket().catch(() => {});
    } catch {
      this.#offering = false;
      if (peer === this.peer) this.lose('fault');
    }
  }

  async #open() {
    const { around, ways } = this;
    around.input({ type: 'peer', state: 'connecting' });
    // Of WebRTC nothing is expected now.
    this.peer?.close();
    this.peer = null;
    const { way } = ways;
    const [make] = await Promise.all([this.#maker(way).catch(() => null), ways.ready]);
    this.#offering = false;
    const viewer = around.signalling.viewerId;
    if (!around.wanted() || this.peer || !viewer || !ways.any) return;
    if (ways.way !== way) {
      this.next();
      return;
    }
    if (!make) {
      // The host is away.
      this.lose('ice_failed');
      return;
    }
    const peer = this.#use(make(viewer));
    this.ways.tell('begun');
    around.emit('offer', null);
    this.#expect(peer);
  }

  /** What makes a peer of a way by a socket. @param {import('./ways.js').Way} way */
  async #maker(way) {
    const { env } = this;
    const { instance, signalling } = this.around;
    if (way === 'vnc') {
      const [{ VncPeer, vncUrl }, { screen }] = await byVnc();
      /** @param {string} viewer */
      return viewer => new VncPeer(vncUrl(signalling.url, { instance, viewer }), env, screen);
    }
    const { MediaPeer, mediaUrl } = await byWebSocket();
    /** @param {string} viewer */
    return viewer => {
      const wanted = { instance, viewer, codecs: this.ways.codecs.join(',') };
      return new MediaPeer(mediaUrl(signalling.url, wanted), env);
    };
  }

  /** @param {Transport} peer */
  #expect(peer) {
    this.env.clearTimeout(this.#peerTimer);
    this.#peerTimer = this.env.setTimeout(
      () => peer === this.peer && this.lose('ice_failed'),
      CONNECT_WITHIN_MS,
    );
  }

  /** @param {Transport} peer @param {RTCPeerConnectionState} state */
  #state(peer, state) {
    const { around, paths } = this;
    if (peer !== this.peer) return;
    const before = this.#connectedAt !== null;
    if (state === 'connected') {
      // Not before it can be steered, too: what is clicked until then would be lost.
      if (!peer.ready) return;
      this.env.clearTimeout(this.#peerTimer);
      this.#connectedAt = this.env.now();
      this.#noPath = null;
      around.input({ type: 'peer', state: 'connected' });
      paths.tell('connected');
      this.ways.tell('connected');
      around.emit('way', peer.kind);
    } else if (peer.kind === 'webrtc' && (state === 'disconnected' || (state === 'failed' && before))) {
      around.input({ type: 'peer', state: 'interrupted' });
      around.signalling.suspect();
      this.#doubt();
      paths.tell(state === 'failed' ? 'failed' : 'interrupted');
    } else if (state === 'failed' || state === 'closed') {
      this.lose('ice_failed');
    }
  }

  #silent() {
    const { around } = this;
    if (around.facts().silent) return;
    around.input({ type: 'silent', silent: true });
    this.paths.tell('silent');
    // What has taken the path may have taken the socket along, over which the way back is agreed on.
    around.signalling.suspect();
    this.#doubt();
  }

  /** Nothing comes by WebRTC. If the host is heard by its socket, it is the path alone that is lost. */
  #doubt() {
    const { around, env, ways } = this;
    // By VNC a picture that may be back in seconds is not worth leaving.
    if (ways.second !== 'websocket' || !this.#webrtc) return;
    const since = env.now();
    env.clearTimeout(this.#doubtTimer);
    this.#doubtTimer = env.setTimeout(() => {
      const { peer, silent } = around.facts();
      const away = silent || peer === 'interrupted';
      if (away && around.signalling.heardSince(since)) this.lose('ice_failed', 0, 'blocked');
    }, BLOCKED_MS);
  }

  #heard() {
    if (!this.around.facts().silent) return;
    this.around.input({ type: 'silent', silent: false });
    this.paths.tell('connected');
  }

  /** The host lets no picture come by the WebSocket now. @param {{code: string, message: string, retry_after?: number}} refusal */
  #refused({ code, message, retry_after = 0 }) {
    this.around.emit('problem', { code, message });
    if (OFFER_FAULTS.has(code)) this.#without(this.ways.way, code, message);
    else if (afterClose(code) === 'leave') this.around.putOut(code);
    else this.lose(code, retry_after * 1000);
  }

  /** Nothing that comes by this way is shown here. @param {import('./ways.js').Way} way @param {string} code */
  #without(way, code, message = '') {
    if (this.ways.tell(`no_${way}`)) {
      this.lose('ice_failed');
      return;
    }
    this.drop();
    this.around.fail(code, message);
  }

  /** Tries WebRTC while the picture comes by the WebSocket. */
  #try() {
    const { around } = this;
    if (!this.#media?.ready || !around.wanted()) {
      this.ways.tell('gone');
      return;
    }
    const trial = new Trial(this.env, this.paths.ice, {
      send: message => {
        const sent = around.signalling.send(message);
        if (sent && message.type === 'offer') this.#pending.push(trial.peer);
        return sent;
      },
      track: track => around.emit('track', track),
      works: peer => this.#change(peer),
      ended: () => {
        this.#trial = null;
        this.ways.tell('tried');
      },
    });
    this.#trial = trial;
  }

  /** WebRTC works again. @param {Peer} peer */
  #change(peer) {
    const before = this.peer;
    this.#trial = null;
    this.hearing.stop();
    this.photons.forget();
    this.around.forget('canvas');
    this.lostId = before?.id ?? this.lostId;
    this.#use(peer);
    this.ways.tell('changed');
    this.#channel(peer);
    before?.close();
  }
}
