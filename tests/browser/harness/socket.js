// A WebSocket client that does what a browser would not: any Origin, any frame. RFC 6455, as much as the tests need.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';

import { request } from './request.js';
import { until } from './wait.js';

const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

export class Socket {
  /** Messages of the server, parsed, oldest first. @type {any[]} */
  received = [];
  /** Binary messages of the server, oldest first. @type {Buffer[]} */
  binary = [];
  /** The code of the server's close frame; 1006 when it just hung up. @type {number | null} */
  closed = null;
  #buffer = Buffer.alloc(0);
  /** Who waits for something to come. @type {(() => void)[]} */
  #waiting = [];

  /** @param {import('node:net').Socket} stream */
  constructor(stream) {
    this.stream = stream;
    stream.on('data', bytes => this.#take(bytes));
    stream.on('error', () => {});
    stream.on('close', () => {
      this.closed ??= 1006;
      this.#stir();
    });
  }

  /**
   * Opens `/ws`, or another path.
   *
   * @param {import('./rest.js').Client} client whose cookies to send
   * @param {Record<string, string>} [headers] instead of the usual ones
   * @param {string} [path]
   * @returns {Promise<{ socket: Socket | null, status: number }>} no socket when the host refused
   */
  static async open(client, headers = {}, path = '/ws') {
    const key = randomBytes(16).toString('base64');
    const call = request(`${client.host.origin}${path}`, {
      timeout: 20_000,
      localAddress: client.from,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
        'sec-websocket-protocol': 'heliostat.v1',
        origin: client.host.origin,
        cookie: client.cookieHeader,
        ...headers,
      },
    });
    call.on('timeout', () => call.destroy(new Error(`${path}: no answer within 20 s`)));
    call.end();
    return await new Promise((resolve, reject) => {
      call.on('error', reject);
      call.on('response', response => {
        response.resume();
        resolve({ socket: null, status: response.statusCode ?? 0 });
      });
      call.on('upgrade', (response, stream, head) => {
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        if (response.headers['sec-websocket-accept'] !== accept) reject(new Error('a wrong accept key'));
        stream.setTimeout(0);
        const socket = new Socket(/** @type {import('node:net').Socket} */ (stream));
        if (head.length > 0) socket.#take(head);
        resolve({ socket, status: 101 });
      });
    });
  }

  /** Opens `/ws` and says hello. @param {import('./rest.js').Client} client @returns {Promise<Socket>} */
  static async greeted(client) {
    const { socket, status } = await Socket.open(client);
    if (!socket) throw new Error(`/ws answered ${status}`);
    socket.send({ type: 'hello' });
    await socket.next('welcome');
    return socket;
  }

  /** @param {object} message */
  send(message) {
    this.sendText(JSON.stringify(message));
  }

  /** One text frame. @param {string} text */
  sendText(text) {
    this.#frame(TEXT, Buffer.from(text), true);
  }

  /** One text frame of bytes that need not be text. @param {Buffer} bytes */
  sendBytes(bytes) {
    this.#frame(TEXT, bytes, true);
  }

  /** One binary frame. @param {Buffer} bytes */
  sendBinary(bytes) {
    this.#frame(BINARY, bytes, true);
  }

  /** One message, a byte a frame. @param {string} text */
  sendInCrumbs(text) {
    const bytes = Buffer.from(text);
    for (let i = 0; i < bytes.length; i += 1) {
      this.#frame(i === 0 ? TEXT : 0, bytes.subarray(i, i + 1), i === bytes.length - 1);
    }
  }

  /** One message in two frames. @param {string} text */
  sendInTwo(text) {
    const bytes = Buffer.from(text);
    const half = bytes.length >> 1;
    this.#frame(TEXT, bytes.subarray(0, half), false);
    this.#frame(0, bytes.subarray(half), true);
  }

  /** @param {number} opcode @param {Buffer} payload @param {boolean} final */
  #frame(opcode, payload, final) {
    const length = payload.length;
    const head =
      length < 126
        ? Buffer.from([0, 0x80 | length])
        : length < 65_536
          ? Buffer.from([0, 0x80 | 126, length >> 8, length & 0xff])
          : Buffer.concat([Buffer.from([0, 0x80 | 127]), bigEndian(length)]);
    head[0] = (final ? 0x80 : 0) | opcode;
    const mask = randomBytes(4);
    const masked = Buffer.from(payload);
    for (let i = 0; i < length; i += 1) masked[i] ^= mask[i & 3];
    if (!this.stream.destroyed) this.stream.write(Buffer.concat([head, mask, masked]));
  }

  /** @param {Buffer} bytes */
  #take(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const data = this.#buffer;
      if (data.length < 2) return;
      let length = data[1] & 0x7f;
      let at = 2;
      if (length === 126) {
        if (data.length < 4) return;
        length = data.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (data.length < 10) return;
        length = Number(data.readBigUInt64BE(2));
        at = 10;
      }
      if (data.length < at + length) return;
      const payload = data.subarray(at, at + length);
      this.#buffer = data.subarray(at + length);
      this.#message(data[0] & 0x0f, payload);
    }
  }

  /** @param {number} opcode @param {Buffer} payload */
  #message(opcode, payload) {
    if (opcode === TEXT) this.received.push(JSON.parse(payload.toString()));
    if (opcode === BINARY) this.binary.push(payload);
    if (opcode === PING) this.#frame(PONG, payload, true);
    if (opcode === CLOSE) {
      this.closed = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.stream.end();
    }
    this.#stir();
  }

  #stir() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * Takes the next message of a type; those before it are dropped.
   *
   * @param {string} type
   * @param {(message: any) => boolean} [fits]
   * @returns {Promise<any>}
   */
  next(type, fits = () => true) {
    const take = () => {
      const at = this.received.findIndex(message => message.type === type && fits(message));
      if (at >= 0) return this.received.splice(0, at + 1).at(-1);
      throw new Error(`closed: ${this.closed}; received: ${JSON.stringify(this.received).slice(0, 500)}`);
    };
    return this.hears(`the host sends ${type}`, take);
  }

  /**
   * Waits for what messages bring about, and looks whenever one has come.
   *
   * @template T
   * @param {string} what
   * @param {() => T | Promise<T>} ask
   */
  hears(what, ask) {
    /** @returns {Promise<void>} */
    const sooner = () => new Promise(resolve => this.#waiting.push(resolve));
    return until(what, ask, { sooner });
  }

  /** Waits for the end of the connection. @returns {Promise<number>} the close code */
  async ended() {
    await until('the host closes the socket', () => this.closed !== null);
    return /** @type {number} */ (this.closed);
  }

  async close() {
    if (this.stream.destroyed) return;
    const gone = once(this.stream, 'close');
    this.#frame(CLOSE, Buffer.from([0x03, 0xe8]), true);
    this.stream.end();
    this.stream.destroySoon();
    await gone;
  }
}

/** @param {number} length */
function bigEndian(length) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}
