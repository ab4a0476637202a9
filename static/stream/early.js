import { instanceIn, wishIn } from '../viewer/kept.js';
import { openLink } from '../viewer/open.js';

/**
 * Begins what takes long, the peer connection, before the page builds what is to be seen: the viewer takes the link over when
 * it is there.
 */

/** What `socket.js` has begun. @typedef {{heliostatBegun?: import('../viewer/begun.js').Begun}} Beginning */
const sockets = /** @type {Beginning} */ (globalThis).heliostatBegun;

/** The instance that the page's address names. */
export const instance = instanceIn(location.pathname);

/** The way of the picture that the address asks for: `?transport=webrtc`, `websocket` or `vnc`. */
export const transport = wishIn(location.search);

/** Its link, started; null where there is no session yet. */
export const early = sockets ? openLink(instance, location.href, transport, sockets.codecs) : null;
early?.start(sockets);

/** What the page builds before its offer is on its way delays the picture; it does not wait for it longer than this, ms. */
const OFFER_FIRST = 200;
/** The answer comes soon, and what the page builds meanwhile delays it; it is built while the browser looks for a path, ms. */
const ANSWER_FIRST = 100;
/** Resolves when the rest of the page may begin. */
export const begun = new Promise(resolve => {
  if (!early) return resolve(null);
  early.addEventListener('track', resolve, { once: true });
  early.addEventListener('offer', () => setTimeout(resolve, early.way === 'webrtc' ? ANSWER_FIRST : 0), {
    once: true,
  });
  setTimeout(resolve, OFFER_FIRST);
});
