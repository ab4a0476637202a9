import { inFragment } from '../lib/fragment.js';
import { knownSession } from '../lib/storage.js';
import { SUBPROTOCOL, socketUrl } from '../viewer/protocol.js';

/**
 * The page's first socket, opened before anything else of the page is there, since to open one takes a browser longer
 * than to load the modules that use it; null for a browser without a session, which has to get one first, and for one that comes by a link, which has to be exchanged first.
 */
export const socket =
  knownSession() && !inFragment(location, 'link')
    ? new WebSocket(socketUrl(location.href), SUBPROTOCOL)
    : null;
