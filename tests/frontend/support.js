/** Stand-ins for the browser: time that tests move by hand, a WebSocket and a peer connection that only remember. */

// Node 18 has no global CustomEvent.
if (!globalThis.CustomEvent) {
  const Substitute = class extends Event {
    /** @param {string} type @param {{detail?: unknown}} [init] */
    constructor(type, init = {}) {
      super(type);
      this.detail = init.detail;
    }
  };
  Object.assign(globalThis, { CustomEvent: Substitute });
}

/** Timers that fire when `advance` reaches them. */
export class Clock {
  now = 1000;
  #next = 1;
  /** @type {Map<number, {at: number, run: () => void}>} */
  #timers = new Map();

  /** @param {() => void} run @param {number} ms */
  set(run, ms) {
    this.#timers.set(this.#next, { at: this.now + ms, run });
    return this.#next++;
  }

  /** @param {number} id */
  clear(id) {
    this.#timers.delete(id);
  }

  /** Moves time on, firing what falls due in order, and lets promises settle after each. @param {number} ms */
  async advance(ms) {
    const until = this.now + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(([, t]) => t.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].run();
    }
    this.now = until;
    await settle();
  }
}

/** Lets everything that is already resolved run. */
export const settle = () => new Promise(resolve => setImmediate(resolve));

export class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = [];
  /** Whether a host is there that answers pings. */
  static answers = false;
  readyState = 0;
  /** @type {any[]} */
  sent = [];
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onclose = null;

  /** @param {string} url @param {string} protocol */
  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
    FakeSocket.all.push(this);
  }

  static get last() {
    return FakeSocket.all[FakeSocket.all.length - 1];
  }

  /** @param {string} text */
  send(text) {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (FakeSocket.answers && message.type === 'ping')
      queueMicrotask(() => this.say({ type: 'pong', t: message.t }));
  }

  close() {
    this.readyState = 3;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** @param {object} message */
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop() {
    this.readyState = 3;
    this.onclose?.();
  }

  /** @param {string} type */
  sentOf(type) {
    return this.sent.filter(m => m.type === type);
  }
}

class FakeChannel {
  readyState = 'connecting';
  bufferedAmount = 0;
  /** Whether a host is there that answers pings. */
  answers = true;
  /** @type {Uint8Array[]} */
  sent = [];
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: {data: ArrayBuffer}) => void) | null} */
  onmessage = null;

  /** @param {string} label @param {RTCDataChannelInit} options */
  constructor(label, options) {
    this.label = label;
    this.options = options;
  }

  open() {
    this.readyState = 'open';
    this.onopen?.();
  }

  /** @param {Uint8Array} frame */
  send(frame) {
    this.sent.push(frame);
    if (this.answers && frame[1] === 10) queueMicrotask(() => this.pong(frame));
  }

  /** @param {Uint8Array} ping */
  pong(ping) {
    const pong = new Uint8Array(18);
    pong.set([1, 0x81]);
    pong.set(ping.slice(10), 2);
    this.onmessage?.({ data: pong.buffer });
  }
}

export class FakeConnection {
  /** @type {FakeConnection[]} */
  static all = [];
  connectionState = 'new';
  /** @type {Record<string, FakeChannel>} */
  channels = {};
  /** @type {unknown[]} */
  candidates = [];
  /** @type {{direction: string, receiver: any}[]} */
  transceivers = [];
  /** @type {any} */
  configuration = {};
  localDescription = /** @type {any} */ (null);
  remoteDescription = /** @type {any} */ (null);
  refuses = false;
  restarts = 0;
  rolledBack = 0;
  answersTo = /** @type {any} */ (null);
  path = 'host';
  onicecandidateerror = /** @type {((event: any) => void) | null} */ (null);
  onconnectionstatechange = /** @type {(() => void) | null} */ (null);
  onicecandidate = /** @type {((event: any) => void) | null} */ (null);
  ontrack = /** @type {((event: any) => void) | null} */ (null);

  constructor() {
    FakeConnection.all.push(this);
  }

  static get last() {
    return FakeConnection.all[FakeConnection.all.length - 1];
  }

  /** @param {string} _kind @param {{direction: string}} init */
  addTransceiver(_kind, { direction }) {
    const transceiver = { direction, receiver: {} };
    this.transceivers.push(transceiver);
    return transceiver;
  }

  /** @param {string} label @param {RTCDataChannelInit} options */
  createDataChannel(label, options) {
    this.channels[label] = new FakeChannel(label, options);
    return this.channels[label];
  }

  /** @param {{iceRestart?: boolean}} [options] */
  async createOffer({ iceRestart = false } = {}) {
    if (iceRestart) this.restarts += 1;
    const again = this.restarts > 0 ? `-${this.restarts}` : '';
    return { type: 'offer', sdp: `offer-${FakeConnection.all.indexOf(this)}${again}` };
  }

  /** What came of the paths: a selected pair whose near end has this type. */
  async getStats() {
    return new Map(
      Object.entries({
        t: { type: 'transport', selectedCandidatePairId: 'p' },
        p: { type: 'candidate-pair', localCandidateId: 'l' },
        l: { type: 'local-candidate', candidateType: this.path },
      }),
    );
  }

  getConfiguration() {
    return this.configuration;
  }

  /** @param {any} configuration */
  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  /** @param {any} description */
  async setLocalDescription(description) {
    if (description.type === 'rollback') this.rolledBack += 1;
    else this.localDescription = description;
  }

  get signalingState() {
    const answered = this.remoteDescription && this.answersTo === this.localDescription;
    return answered ? 'stable' : 'have-local-offer';
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    if (this.refuses) throw new Error('bad answer');
    this.remoteDescription = description;
    this.answersTo = this.localDescription;
  }

  /** @param {unknown} candidate */
  async addIceCandidate(candidate) {
    this.candidates.push(candidate);
  }

  close() {
    this.connectionState = 'closed';
  }

  /** @param {string} state */
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  /** @param {string | null} candidate @param {string} [type] */
  find(candidate, type = 'host') {
    this.onicecandidate?.({ candidate: candidate && { type, toJSON: () => ({ candidate }) } });
  }
}

/** A world with its own clock, socket and connection classes, and a visibility of its own. */
export function world() {
  FakeSocket.all = [];
  FakeSocket.answers = false;
  FakeConnection.all = [];
  const clock = new Clock();
  const seen = { visible: true, online: true };
  /** @type {import('../../static/viewer/signalling.js').Env} */
  const env = {
    WebSocket: /** @type {any} */ (FakeSocket),
    RTCPeerConnection: /** @type {any} */ (FakeConnection),
    setTimeout: (run, ms) => clock.set(run, ms),
    clearTimeout: id => clock.clear(id),
    now: () => clock.now,
    random: () => 0,
    visible: () => seen.visible,
    online: () => seen.online,
  };
  return { env, clock, seen };
}
