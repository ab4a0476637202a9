import { browserEnv } from '../lib/env.js';
import { storage } from '../lib/storage.js';
import { Link } from './link.js';
import { socketUrl } from './protocol.js';

/**
 * What an attribute, or an address, says of the way of the picture; anything else means that it is left to the viewer.
 * @param {string | null} text
 * @returns {import('./ways.js').Wish}
 */
export const wishOf = text => (text === 'webrtc' || text === 'websocket' || text === 'vnc' ? text : 'auto');

/** Where a tab keeps the id under which it views an instance: a reload is the same viewer. @param {string} instance */
export const viewerKey = instance => `heliostat.viewer.${instance}`;

/**
 * A link to an instance, not started yet.
 * @param {string} instance id
 * @param {string} host any address of the host
 * @param {import('./ways.js').Wish} [wish] by which way the picture is to come
 * @param {import('./signalling.js').Env} [env]
 */
export function openLink(instance, host, wish = 'auto', env = browserEnv()) {
  const viewerId = storage(() => sessionStorage.getItem(viewerKey(instance)));
  return new Link(socketUrl(host), instance, env, viewerId, wish);
}
