import { inFragment } from '../lib/fragment.js';
import { knownSession } from '../lib/storage.js';
import { SUBPROTOCOL, socketUrl } from '../viewer/protocol.js';

/**
 * The page's first socket, which the host writes into the page's own text: to open one takes two round trips and a while of the
 * browser's, about as long as to fetch what uses it. None for a browser without a session, which has to get one first, and
 * for one that comes by a link, which has to be exchanged first.
 */
if (knownSession() && !inFragment(location, 'link')) {
  /** @type {import('./early.js').Begun} */ (globalThis).heliostatSocket = new WebSocket(
    socketUrl(location.href),
    SUBPROTOCOL,
  );
}
