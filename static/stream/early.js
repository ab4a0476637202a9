import { openLink, wishOf } from '../viewer/open.js';
import { socket } from './socket.js';

/**
 * Begins what takes long, the peer connection, while the browser still loads the page's other modules: the viewer takes
 * the link over when it is there.
 */

/** The instance that the page's address names. */
export const instance = location.pathname.split('/').filter(Boolean).pop() ?? '';

/** The way of the picture that the address asks for: `?transport=webrtc`, `websocket` or `vnc`. */
export const transport = wishOf(new URLSearchParams(location.search).get('transport'));

/** Its link, started; null where there is no session yet. */
export const early = socket && openLink(instance, location.href, transport);
early?.start(socket);

/** What the page builds before its offer is on its way delays the picture; it does not wait for it longer than this, ms. */
const OFFER_FIRST = 200;
/** Resolves when the rest of the page may begin. */
export const begun = new Promise(resolve => {
  if (!early) return resolve(null);
  early.addEventListener('offer', resolve, { once: true });
  setTimeout(resolve, OFFER_FIRST);
});
