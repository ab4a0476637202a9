import { afterClose, OFFER_FAULTS, PATHLESS } from './close-reasons.js';
import { CONNECT_WITHIN_MS, DOUBT_MS, GOING_MS, STEADY_MS } from './deadlines.js';
import { diagnose } from './diagnosis.js';
import { Doubt } from './doubt.js';
import { shownFrame } from './frame-watch.js';
import { Hearing } from './hearing.js';
import { adopted, byWebSocket, makerOf } from './making.js';
import { Offers } from './offers.js';
import { Paths } from './paths.js';
import { Peer } from './peer.js';
import { Photons } from './photons.js';
import { Trial } from './trial.js';
import { WayKeeper } from './way-keeper.js';

/**
 * What brings the picture and takes the input, whichever way.
 * @typedef {Peer | import('./media-peer.js').MediaPeer | import('./vnc-peer.js').VncPeer} Transport
 */

/** What was measured is told the host with each so many pings. */
const REPORT_EVERY = 3;

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
  #offers = new Offers();
  /** By the socket that the page has begun with, and not let in yet. @type {Transport | null} */
  #early = null;
  #over = false;
  #offering = false;
  #pings = 0;
  #offerTimer = 0;
  #peerTimer = 0;
  #doubt;
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
      silent: () => this.#doubt.silent(),
      heard: () => this.#doubt.heard(),
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
    this.#doubt = new Doubt(
      around,
      this.paths,
      // By VNC a picture that may be back in seconds is not worth leaving.
      () => this.ways.second === 'websocket' && this.#webrtc !== null,
      () => this.lose('ice_failed', 0, 'blocked'),
    );
  }

  get #webrtc() {
    return this.peer?.kind === 'webrtc' ? this.peer : null;
  }

  get #media() {
    return this.peer?.kind === 'webrtc' ? null : this.peer;
  }

  /** A video shows a frame. @param {import('./frame-watch.js').Metadata} metadata @param {number} at ms */
  shows(metadata, at) {
    const { offset } = this.hearing.clock;
    const now = this.env.now();
    const frame = shownFrame(metadata, at, this.#webrtc?.rtpOffset ?? null, offset, now);
    if (frame) this.photons.shown(frame, offset, now);
  }

  /**
   * Makes the first peer ahead of time, so that its offer is ready when the host is, or has what it takes loaded.
   * @param {import('./begun.js').Begun['media']} [media] a socket that was opened for the picture
   */
  start(media) {
    if (this.ways.way === 'webrtc') this.#prepare();
    if (this.ways.way === 'websocket') void this.#adopt(media);
    else this.ahead();
  }

  /** Offers what is prepared along with the wish to watch: the host takes them in their order. */
  ahead() {
    const peer = this.#webrtc;
    if (!peer || peer.id || this.#offering || !this.around.signalling.open) return;
    this.#offering = true;
    this.#offers.ahead = peer;
    void this.#offer(peer);
  }

  /** The host has said welcome. @param {import('./protocol.js').Welcome} welcome */
  welcomed(welcome) {
    this.paths.configure(welcome);
    this.#offers.welcomed(this.paths.ice);
    this.offered(welcome.transports);
  }

  /** What was begun ahead is not wanted. */
  takeBack() {
    const peer = this.#offers.ahead ?? this.#early;
    this.#offers.ahead = null;
    if (peer && peer === this.peer && !peer.id) this.drop();
  }

  /** Whether this error says no more of what was offered ahead than the host says by itself. @param {string} code */
  moot(code) {
    if (!this.#offers.moot(code, this.#offers.ahead === this.peer)) return false;
    this.takeBack();
    return true;
  }

  stop() {
    this.#over = true;
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
    this.#offers.opened();
    this.rest();
  }

  socketLost() {
    this.paths.socketLost();
    // An offer without an answer died with its socket.
    if (this.#webrtc && !this.#webrtc.id && this.#offers.has(this.#webrtc)) this.drop();
    if (this.#trial && !this.#trial.peer.id) this.#trial.end();
    this.#offers.lost();
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
    const failed = this.#offers.settled();
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
    // What the page had begun with was not taken: it is made as ever, for a viewer that the host knows.
    if (this.#early) {
      this.drop();
      return this.next();
    }
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
    this.env.clearTimeout(this.#peerTimer);
    this.#doubt.stop();
    this.hearing.stop();
    this.photons.forget();
    this.paths.drop();
    this.peer?.close();
    this.peer = null;
    this.#early = null;
    this.around.forget('track', 'canvas', 'channel', 'way');
    this.around.dropped();
  }

  /** Makes the next peer, if one is wanted and there is none. */
  next() {
    if (!this.around.wanted() || this.#offerTimer || this.#offering) return;
    if (this.#media || this.peer?.id || this.#offers.has(this.#webrtc)) return;
    if (!this.ways.any) return this.impossible();
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
    const peer = this.#offers.settled();
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
    return this.#offers.any;
  }

  /** What the host lets the picture come by. @param {string[]} [transports] a host that does not say has no VNC */
  offered(transports = ['webrtc', 'websocket']) {
    const { way } = this.ways;
    this.ways.offered(transports);
    if (this.ways.way !== way) this.drop();
  }

  /** No way is left that may be tried. */
  impossible() {
    this.drop();
    this.around.fail(this.ways.fault, '');
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
    this.#early = null;
    this.around.emit('channel', null);
    this.hearing.start();
    this.#state(peer, peer.state);
  }

  /** @param {Peer} peer */
  async #offer(peer) {
    const { around } = this;
    around.input({ type: 'peer', state: 'connecting' });
    try {
      const sdp = await peer.describe();
      this.#offering = false;
      if (
        peer !== this.peer ||
        !(around.wanted() || (peer === this.#offers.ahead && around.signalling.open))
      ) {
        this.next();
        return;
      }
      around.signalling.send({ type: 'offer', sdp });
      this.#offers.made(peer, this.paths.ice);
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
    const [make] = await Promise.all([makerOf(way, around, () => ways.codecs), ways.ready]);
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

  /** Takes what the page has begun for the picture, if that is how it is to come. @param {import('./begun.js').Begun['media']} [media] */
  async #adopt(media) {
    this.#offering = true;
    const wanted = () => this.ways.way === 'websocket' && !this.peer && !this.#over;
    const peer = await adopted(media, this.env, wanted);
    this.#offering = false;
    if (this.#over) return;
    if (!peer) return this.next();
    this.#early = this.#use(peer);
    this.around.emit('offer', null);
    peer.retell();
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
      this.#doubt.begin();
      paths.tell(state === 'failed' ? 'failed' : 'interrupted');
    } else if (state === 'failed' || state === 'closed') {
      this.lose('ice_failed');
    }
  }

  /** The host lets no picture come by the WebSocket now. @param {{code: string, message: string, retry_after?: number}} refusal */
  #refused({ code, message, retry_after = 0 }) {
    if (this.#early && code === 'not_watching') return this.lose(code);
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
        if (sent && message.type === 'offer') this.#offers.made(trial.peer);
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
