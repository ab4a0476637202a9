/**
 * One peer connection: receives the picture, carries input. A new one is made for every offer.
 *
 * Events: `state` (detail: RTCPeerConnectionState), `track` (detail: MediaStreamTrack), `candidate` (detail:
 * RTCIceCandidateInit or null), `channel` (the `input` channel opened), `message` (detail: ArrayBuffer).
 */

/** overflow: a move is dropped, the next one carries the newer position anyway. */
const MOVES_BUFFERED_LIMIT = 4096;
/** overflow: what may be dropped is dropped (`send` says so); releases are always queued. */
const INPUT_BUFFERED_LIMIT = 65536;
/** overflow: further candidates are dropped; 64 are more than any machine's interfaces have. */
const CANDIDATE_LIMIT = 64;

export class Peer extends EventTarget {
  /** @type {string | null} the host's name for it, known from the answer on */
  id = null;
  closed = false;
  /** @type {(RTCIceCandidateInit | null)[]} */
  #mine = [];
  /** @type {(RTCIceCandidateInit | null)[]} */
  #theirs = [];
  #accepted = false;

  /** @param {typeof RTCPeerConnection} Connection */
  constructor(Connection) {
    super();
    this.connection = new Connection({ bundlePolicy: 'max-bundle' });
    const { receiver } = this.connection.addTransceiver('video', { direction: 'recvonly' });
    playAtOnce(receiver);
    this.input = this.connection.createDataChannel('input', { ordered: true });
    this.moves = this.connection.createDataChannel('moves', { ordered: false, maxRetransmits: 0 });
    this.input.binaryType = 'arraybuffer';
    this.input.onopen = () => this.#emit('channel', null);
    this.input.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.#emit('message', data);
    };
    this.connection.onconnectionstatechange = () => this.#emit('state', this.connection.connectionState);
    this.connection.ontrack = ({ track, receiver: by }) => {
      playAtOnce(by);
      this.#emit('track', track);
    };
    this.connection.onicecandidate = ({ candidate }) => this.#found(candidate?.toJSON() ?? null);
    // Begun here, so that it is ready when the host has said welcome; gathering starts with `offer`.
    this.offered = this.connection.createOffer();
    this.offered.catch(() => {});
  }

  /**
   * Starts gathering and returns the SDP to send.
   * @param {RTCIceServer[]} iceServers
   */
  async offer(iceServers) {
    const offer = await this.offered;
    if (iceServers.length > 0) {
      this.connection.setConfiguration({ ...this.connection.getConfiguration(), iceServers });
    }
    // Not waited for: the host may have the description meanwhile, and its answer is applied after this by the
    // connection's own order of operations (W3C WebRTC 4.4.1.2), or refused if this fails.
    this.connection.setLocalDescription(offer).catch(() => {});
    return offer.sdp ?? '';
  }

  /**
   * The host's answer: from now on candidates flow.
   * @param {string} peerId @param {string} sdp
   */
  async accept(peerId, sdp) {
    this.id = peerId;
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
      return true;
    } catch {
      return false;
    }
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    const c = this.connection;
    c.onconnectionstatechange = c.ontrack = c.onicecandidate = null;
    this.input.onopen = this.input.onmessage = null;
    c.close();
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  #found(candidate) {
    if (this.id) this.#emit('candidate', candidate);
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
