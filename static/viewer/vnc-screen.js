/** Of noVNC, as it was published (`scripts/vendor`). @type {string} */
const MODULE = '../vendor/novnc/core/rfb.js';
/** @type {any} */
const RFB = (await import(MODULE)).default;
/** @type {string} */
const LOGGING = '../vendor/novnc/core/util/logging.js';
// It warns of pages without encryption, of which it needs nothing here; what goes wrong it tells by its events.
(await import(LOGGING)).initLogging('none');

/** Quality of what is packed as JPEG, of 9: text stays sharp. */
const QUALITY = 8;

/**
 * @typedef {object} Hooks
 * @property {(bytes: Uint8Array) => void} send to the server
 * @property {() => void} frame a picture was drawn
 * @property {() => void} ended nothing more comes of it
 */

/** noVNC, which says when it has drawn something. @type {any} */
const Drawing = class extends RFB {
  _framebufferUpdate() {
    const whole = super._framebufferUpdate();
    if (whole) this.onframe?.();
    return whole;
  }
};

/**
 * What noVNC draws of the bytes that are handed to it. It is a viewer of pictures only: it hears no keys and no mouse.
 * @param {Hooks} hooks
 */
export function screen({ send, frame, ended }) {
  // As it expects a channel to be (`rawChannelProps` in its websock.js).
  const channel = {
    binaryType: 'arraybuffer',
    protocol: '',
    readyState: 'open',
    /** @param {Uint8Array} bytes */
    send: bytes => send(bytes),
    // It waits for the end of what it closes.
    close: () => queueMicrotask(() => channel.onclose?.({ code: 1000, reason: '' })),
    /** @type {((event: {code: number, reason: string}) => void) | null} */
    onclose: null,
    onerror: null,
    /** @type {((event: {data: Uint8Array}) => void) | null} */
    onmessage: null,
    onopen: null,
  };
  // Never in the page: its canvas is taken out of it.
  const target = document.createElement('div');
  const rfb = new Drawing(target, channel, { shared: true });
  rfb.viewOnly = true;
  rfb.focusOnClick = false;
  rfb.qualityLevel = QUALITY;
  rfb.onframe = frame;
  rfb.addEventListener('disconnect', ended);
  rfb.addEventListener('securityfailure', ended);
  const canvas = /** @type {HTMLCanvasElement} */ (target.querySelector('canvas'));
  return {
    canvas,
    /** @param {Uint8Array} data */
    take: data => channel.onmessage?.({ data }),
    close: () => {
      rfb.onframe = null;
      rfb.removeEventListener('disconnect', ended);
      rfb.disconnect();
    },
  };
}
