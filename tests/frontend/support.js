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
  bufferedAmount = 0;
  binaryType = 'blob';
  /** @type {any[]} */
  sent = [];
  /** Binary messages. @type {Uint8Array[]} */
  frames = [];
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: {data: any}) => void) | null} */
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

  /** The latest signalling socket. */
  static get signalling() {
    return /** @type {FakeSocket} */ (FakeSocket.all.filter(({ url }) => !url.includes('/media')).at(-1));
  }

  /** The latest media socket. */
  static get media() {
    return /** @type {FakeSocket} */ (FakeSocket.all.filter(({ url }) => url.includes('/media')).at(-1));
  }

  /** @param {string | Uint8Array} text */
  send(text) {
    if (typeof text !== 'string') {
      this.frames.push(text);
      return;
    }
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

  /** A binary message: its type, and what follows. @param {number} type @param {object | Uint8Array} body */
  sayBytes(type, body) {
    const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
    const data = new Uint8Array(2 + bytes.length);
    data.set([1, type]);
    data.set(bytes, 2);
    this.onmessage?.({ data: data.buffer });
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

/** A decoder that shows what it is given, when the test says so. */
export class FakeDecoder {
  /** @type {FakeDecoder[]} */
  static all = [];
  /** What `isConfigSupported` says yes to. @type {string[]} */
  static formats = ['avc1.42e01f', 'vp8'];
  state = 'unconfigured';
  decodeQueueSize = 0;
  /** @type {any[]} */
  configured = [];
  /** @type {any[]} */
  chunks = [];

  /** @param {{codec: string}} config */
  static async isConfigSupported({ codec }) {
    return { supported: FakeDecoder.formats.includes(codec) };
  }

  static get last() {
    return FakeDecoder.all[FakeDecoder.all.length - 1];
  }

  /** @param {{output: (frame: any) => void, error: (error: Error) => void}} init */
  constructor(init) {
    this.init = init;
    FakeDecoder.all.push(this);
  }

  /** @param {any} config */
  configure(config) {
    this.state = 'configured';
    this.configured.push(config);
  }

  /** @param {any} chunk */
  decode(chunk) {
    if (this.state !== 'configured') throw new Error('not configured');
    this.chunks.push(chunk);
    this.decodeQueueSize += 1;
  }

  /** Shows all that it was given. @param {{width: number, height: number}} [size] */
  work({ width, height } = { width: 640, height: 360 }) {
    const waiting = this.chunks.splice(0);
    this.decodeQueueSize = 0;
    for (const { timestamp } of waiting) {
      const frame = { timestamp, displayWidth: width, displayHeight: height, closed: false, close() {} };
      this.init.output(frame);
    }
  }

  fail() {
    this.state = 'closed';
    this.init.error(new Error('broken'));
  }

  close() {
    this.state = 'closed';
  }
}

/** What lets a page show what comes by a WebSocket. */
export function webCodecs() {
  FakeDecoder.all = [];
  FakeDecoder.formats = ['avc1.42e01f', 'vp8'];
  return {
    VideoDecoder: /** @type {any} */ (FakeDecoder),
    EncodedVideoChunk: /** @type {any} */ (
      class {
        /** @param {object} init */
        constructor(init) {
          Object.assign(this, init);
        }
      }
    ),
    canvas: () =>
      /** @type {any} */ ({
        width: 300,
        height: 150,
        drawn: 0,
        getContext() {
          return { drawImage: () => (this.drawn += 1) };
        },
      }),
  };
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
    nextFrame: run => clock.set(() => run(clock.now), 8),
    setTimeout: (run, ms) => clock.set(run, ms),
    clearTimeout: id => clock.clear(id),
    now: () => clock.now,
    random: () => 0,
    visible: () => seen.visible,
    online: () => seen.online,
  };
  return { env, clock, seen };
}
