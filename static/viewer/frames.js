/**
 * The binary frames of the data channels: little endian, one event a message.
 *
 * Every frame to the host begins with ten bytes: version u8, type u8, sequence u32 (one counter over both
 * channels), browser time u32 in milliseconds. Pure: no clock, no channel.
 */

const VERSION = 1;
const HEADER_BYTES = 10;
/** Longest text of one frame, in bytes of UTF-8. */
const MAX_TEXT_BYTES = 1024;

/** Types of the frames a browser sends. */
const FRAME = Object.freeze({
  MOVE: 1,
  RELATIVE_MOVE: 2,
  BUTTON: 3,
  WHEEL: 4,
  KEY: 5,
  TEXT: 6,
  RELEASE_ALL: 7,
  HIDDEN: 8,
  VISIBLE: 9,
  PING: 10,
  REPEAT: 11,
  LATENCY: 12,
  RENDITION: 13,
  COPY: 14,
});

/** Those whose place among the others on `input` does not matter. @type {Set<number>} */
const UNORDERED = new Set([FRAME.PING, FRAME.LATENCY, FRAME.RENDITION]);

/** For whichever rendition fits. */
const ANY_RUNG = 255;

/** Types of the frames a host sends. */
const HOST_FRAME = Object.freeze({
  PONG: 0x81,
  STATUS: 0x82,
  CURSOR: 0x83,
  SHOWN: 0x84,
  CLOSED: 0x85,
  RTP: 0x86,
});

/**
 * One event of the user, before it has a sequence number.
 * @typedef {{type: 'move', x: number, y: number}
 *   | {type: 'relative_move', dx: number, dy: number}
 *   | {type: 'button', number: number, pressed: boolean, x: number, y: number}
 *   | {type: 'wheel', dx: number, dy: number, x: number, y: number}
 *   | {type: 'key', pressed: boolean, usage: number, keysym: number}
 *   | {type: 'repeat', usage: number, keysym: number}
 *   | {type: 'text', text: string}
 *   | {type: 'release_all'} | {type: 'hidden'} | {type: 'visible'}
 *   | {type: 'ping', t: bigint}
 *   | {type: 'rendition', rung: number | null}
 *   | {type: 'latency'} & import('./photons.js').Delays} InputEvent
 */

/**
 * What a host sends on the `input` channel.
 * @typedef {{type: 'pong', t: bigint, hostTime: bigint}
 *   | {type: 'status', status: import('./protocol.js').InstanceMessage}
 *   | {type: 'closed', reason: string}
 *   | {type: 'shown', told: import('./photons.js').Told}
 *   | {type: 'rtp', offset: number}
 *   | {type: 'unknown', code: number}} HostFrame
 */

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(high, Math.max(low, Math.round(value) || 0));
/** @param {number} value */
const u16 = value => clamp(value, 0, 0xffff);
/** @param {number} value */
const i16 = value => clamp(value, -0x8000, 0x7fff);

/**
 * A frame's header and room for its body.
 * @param {number} type @param {number} seq @param {number} time @param {number} bodyBytes
 */
function frame(type, seq, time, bodyBytes) {
  const bytes = new Uint8Array(HEADER_BYTES + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, type);
  view.setUint32(2, seq >>> 0, true);
  view.setUint32(6, time >>> 0, true);
  return { bytes, view };
}

/**
 * Encodes one event. Values out of range are clamped; a text too long is an error (see `splitText`).
 * @param {InputEvent} event
 * @param {number} seq sequence number, wraps at 2^32
 * @param {number} time milliseconds, any origin, wraps at 2^32
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encode(event, seq, time) {
  switch (event.type) {
    case 'move': {
      const { bytes, view } = frame(FRAME.MOVE, seq, time, 4);
      view.setUint16(10, u16(event.x), true);
      view.setUint16(12, u16(event.y), true);
      return bytes;
    }
    case 'relative_move': {
      const { bytes, view } = frame(FRAME.RELATIVE_MOVE, seq, time, 4);
      view.setInt16(10, i16(event.dx), true);
      view.setInt16(12, i16(event.dy), true);
      return bytes;
    }
    case 'button': {
      const { bytes, view } = frame(FRAME.BUTTON, seq, time, 6);
      view.setUint8(10, clamp(event.number, 0, 4));
      view.setUint8(11, event.pressed ? 1 : 0);
      view.setUint16(12, u16(event.x), true);
      view.setUint16(14, u16(event.y), true);
      return bytes;
    }
    case 'wheel': {
      const { bytes, view } = frame(FRAME.WHEEL, seq, time, 8);
      view.setInt16(10, i16(event.dx), true);
      view.setInt16(12, i16(event.dy), true);
      view.setUint16(14, u16(event.x), true);
      view.setUint16(16, u16(event.y), true);
      return bytes;
    }
    case 'key': {
      const { bytes, view } = frame(FRAME.KEY, seq, time, 7);
      view.setUint8(10, event.pressed ? 1 : 0);
      view.setUint16(11, u16(event.usage), true);
      view.setUint32(13, event.keysym >>> 0, true);
      return bytes;
    }
    case 'repeat': {
      const { bytes, view } = frame(FRAME.REPEAT, seq, time, 6);
      view.setUint16(10, u16(event.usage), true);
      view.setUint32(12, event.keysym >>> 0, true);
      return bytes;
    }
    case 'text': {
      const text = new TextEncoder().encode(event.text);
      if (text.length > MAX_TEXT_BYTES) throw new RangeError('text frame longer than 1024 bytes');
      const { bytes } = frame(FRAME.TEXT, seq, time, text.length);
      bytes.set(text, HEADER_BYTES);
      return bytes;
    }
    case 'release_all':
      return frame(FRAME.RELEASE_ALL, seq, time, 0).bytes;
    case 'hidden':
      return frame(FRAME.HIDDEN, seq, time, 0).bytes;
    case 'visible':
      return frame(FRAME.VISIBLE, seq, time, 0).bytes;
    case 'ping': {
      const { bytes, view } = frame(FRAME.PING, seq, time, 8);
      view.setBigUint64(10, BigInt.asUintN(64, event.t), true);
      return bytes;
    }
    case 'rendition': {
      const { bytes, view } = frame(FRAME.RENDITION, seq, time, 1);
      view.setUint8(10, event.rung ?? ANY_RUNG);
      return bytes;
    }
    case 'latency': {
      const { bytes, view } = frame(FRAME.LATENCY, seq, time, 12);
      [event.click, event.glass].forEach((figures, i) => {
        if (!figures) return;
        const at = HEADER_BYTES + 6 * i;
        view.setUint16(at, u16(figures.p50_ms * 10), true);
        view.setUint16(at + 2, u16(figures.p95_ms * 10), true);
        view.setUint16(at + 4, u16(figures.samples), true);
      });
      return bytes;
    }
  }
}

/** The sequence number of an encoded frame. @param {Uint8Array<ArrayBuffer>} frame */
export const sequence = frame => new DataView(frame.buffer).getUint32(2, true);

/** Whether the place of a frame that went by `input` matters among the others there. @param {Uint8Array<ArrayBuffer>} frame */
export const isOrdered = frame => !UNORDERED.has(frame[1]);

/** The copy of a frame that goes by `moves`. @param {Uint8Array<ArrayBuffer>} original @param {number} before the number of the one before it on `input` */
export function copyOf(original, before) {
  const bytes = new Uint8Array(original.length + 5);
  bytes.set(original.subarray(0, HEADER_BYTES));
  bytes[1] = FRAME.COPY;
  new DataView(bytes.buffer).setUint32(HEADER_BYTES, before, true);
  bytes[HEADER_BYTES + 4] = original[1];
  bytes.set(original.subarray(HEADER_BYTES), HEADER_BYTES + 5);
  return bytes;
}

/** Whether a user expects to see the effect of an event: what the host tells the answer of. @param {InputEvent} event */
export const isPress = event =>
  event.type === 'text' ||
  (event.type === 'button' && event.pressed) ||
  (event.type === 'key' && event.pressed && !(event.usage >= 0xe0 && event.usage <= 0xe7));

/** Where RTP time begins, if that is what a frame of the host says; else null. @param {ArrayBuffer} buffer */
export function rtpOffset(buffer) {
  if (new Uint8Array(buffer)[1] !== HOST_FRAME.RTP) return null;
  const frame = decodeHost(buffer);
  return frame?.type === 'rtp' ? frame.offset : null;
}

/**
 * Cuts a text into parts that fit a frame each, never inside a character.
 * @param {string} text
 * @returns {string[]}
 */
export function splitText(text) {
  const encoder = new TextEncoder();
  /** @type {string[]} */
  const parts = [];
  let part = '';
  let size = 0;
  for (const character of text) {
    const bytes = encoder.encode(character).length;
    if (size + bytes > MAX_TEXT_BYTES) {
      parts.push(part);
      part = '';
      size = 0;
    }
    part += character;
    size += bytes;
  }
  if (part) parts.push(part);
  return parts;
}

/**
 * Decodes a frame of the host; null for one that is malformed or of another version.
 * @param {ArrayBuffer} buffer
 * @returns {HostFrame | null}
 */
export function decodeHost(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 2 || view.getUint8(0) !== VERSION) return null;
  const type = view.getUint8(1);
  if (type === HOST_FRAME.PONG) {
    if (view.byteLength < 18) return null;
    return { type: 'pong', t: view.getBigUint64(2, true), hostTime: view.getBigUint64(10, true) };
  }
  if (type === HOST_FRAME.STATUS) {
    try {
      const status = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(buffer, 2)));
      return status && typeof status === 'object' ? { type: 'status', status } : null;
    } catch {
      return null;
    }
  }
  if (type === HOST_FRAME.CLOSED) {
    const reason = new TextDecoder().decode(new Uint8Array(buffer, 2));
    return /^[a-z_]{1,32}$/.test(reason) ? { type: 'closed', reason } : null;
  }
  if (type === HOST_FRAME.SHOWN) {
    if (view.byteLength < 78) return null;
    const us = (/** @type {number} */ at) => Number(view.getBigUint64(at, true));
    const timesUs = Array.from({ length: 8 }, (_, i) => us(14 + 8 * i));
    return { type: 'shown', told: { seq: view.getUint32(2, true), ptsUs: us(6), timesUs } };
  }
  if (type === HOST_FRAME.RTP)
    return view.byteLength < 6 ? null : { type: 'rtp', offset: view.getUint32(2, true) };
  return { type: 'unknown', code: type };
}
