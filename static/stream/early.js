import { knownSession } from '../lib/storage.js';
import { openLink } from '../viewer/open.js';

/**
 * Begins what takes longest, the socket and the peer connection, while the browser still loads the page's other modules:
 * the viewer takes the link over when it is there.
 */

/** The instance that the page's address names. */
export const instance = location.pathname.split('/').filter(Boolean).pop() ?? '';

/** Its link, started; null for a browser without a session, which has to get one first. */
export const early = knownSession() ? openLink(instance, location.href) : null;
early?.start();
