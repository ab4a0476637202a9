/**
 * The messages of the media socket beside those of the data channels: binary, little endian. Pure.
 */

export const MEDIA_SUBPROTOCOL = 'heliostat.media.v1';

const VERSION = 1;
const HEADER_BYTES = 10;
const FRAME_BYTES = 16;
const KEY = 1;

const TO_HOST = Object.freeze({ TAKEN: 0x10, KEY_FRAME: 0x11, RFB: 0x12 });
const FROM_HOST = Object.freeze({ OPENED: 0x90, FRAME: 0x91, REFUSED: 0x92, RFB: 0x93 });

/** @typedef {'h264'|'h264-444'|'vp8'|'vp9'|'av1'} Codec */
/** @typedef {{key: boolean, rendition: number, number: number, ptsUs: number, data: Uint8Array}} Picture */

/** @typedef {{type: 'opened', peer_id: string, codec: Codec | 'rfb'}} Opened */

/**
 * @typedef {Opened
 *   | {type: 'refused', code: string, message: string, retry_after?: number}
 *   | ({type: 'frame'} & Picture)
 *   | {type: 'rfb', data: Uint8Array<ArrayBuffer>}
 *   | {type: 'other'}} MediaMessage
 */

/** So many frames were taken in all. @param {number} frames @param {number} time ms */
export function taken(frames, time) {
  const { bytes, view } = message(TO_HOST.TAKEN, time, 4);
  view.setUint32(HEADER_BYTES, frames >>> 0, true);
  return bytes;
}

/** The decoder cannot go on without a key frame. @param {number} time ms */
export const keyFrame = time => message(TO_HOST.KEY_FRAME, time, 0).bytes;

/** Something for the VNC server. @param {Uint8Array} data @param {number} time ms */
export function toVnc(data, time) {
  const { bytes } = message(TO_HOST.RFB, time, data.length);
  bytes.set(data, HEADER_BYTES);
  return bytes;
}

/** @param {number} type @param {number} time @param {number} body */
function message(type, time, body) {
  const bytes = new Uint8Array(HEADER_BYTES + body);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = type;
  view.setUint32(6, time >>> 0, true);
  return { bytes, view };
}

/**
 * A message of the host; null for one that cannot be read.
 * @param {ArrayBuffer} buffer
 * @returns {MediaMessage | null}
 */
export function decodeMedia(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 2 || view.getUint8(0) !== VERSION) return null;
  switch (view.getUint8(1)) {
    case FROM_HOST.FRAME:
      if (view.byteLength <= FRAME_BYTES) return null;
      return {
        type: 'frame',
        key: (view.getUint8(2) & KEY) !== 0,
        rendition: view.getUint8(3),
        number: view.getUint32(4, true),
        ptsUs: Number(view.getBigUint64(8, true)),
        data: new Uint8Array(buffer, FRAME_BYTES),
      };
    case FROM_HOST.RFB:
      return { type: 'rfb', data: new Uint8Array(buffer, 2) };
    case FROM_HOST.OPENED:
      return told(buffer, 'opened', ['peer_id', 'codec']);
    case FROM_HOST.REFUSED:
      return told(buffer, 'refused', ['code', 'message']);
    default:
      return { type: 'other' };
  }
}

/** @param {ArrayBuffer} buffer @param {string} type @param {string[]} fields that have to be text @returns {any} */
function told(buffer, type, fields) {
  try {
    const body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(buffer, 2)));
    return fields.every(field => typeof body?.[field] === 'string') ? { ...body, type } : null;
  } catch {
    return null;
  }
}

/** What WebCodecs calls formats of which a stream need not say more: profile 0, level 3.1, 8 bits. */
export const FORMATS = Object.freeze({ vp8: 'vp8', vp9: 'vp09.00.31.08', av1: 'av01.0.05M.08' });

/**
 * What WebCodecs calls the format of a key frame; null where it does not say.
 * @param {Codec} codec @param {Uint8Array} data
 */
export function formatOf(codec, data) {
  if (codec !== 'h264' && codec !== 'h264-444') return FORMATS[codec];
  // The sequence parameter set (ITU-T H.264, 7.3.2.1): profile, constraints and level follow its head.
  for (let i = 0; i + 6 < data.length; i += 1) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1) continue;
    if ((data[i + 3] & 0x1f) !== 7) continue;
    const hex = [...data.subarray(i + 4, i + 7)].map(byte => byte.toString(16).padStart(2, '0'));
    return `avc1.${hex.join('')}`;
  }
  return null;
}

/**
 * Where a host takes media sockets.
 * @param {string} socket its other socket's address @param {Record<string, string>} wanted @param {string} [path]
 */
export function mediaUrl(socket, wanted, path = '/ws/media') {
  const url = new URL(path, socket);
  url.search = new URLSearchParams(wanted).toString();
  return url.href;
}
