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

/** Where a browser keeps that it found no path to a host by WebRTC. @param {string} url of the host's socket */
const blockedKey = url => `heliostat.blocked.${new URL(url).host}`;

/** Has the next page begin with the way that this one ended with. @param {Link} link @param {string} key */
function remember(link, key) {
  link.addEventListener('way', event => {
    const way = /** @type {CustomEvent} */ (event).detail;
    if (way === 'websocket') storage(() => localStorage.setItem(key, '1'));
    else if (way === 'webrtc') storage(() => localStorage.removeItem(key));
  });
}

/**
 * A link to an instance, not started yet.
 * @param {string} instance id
 * @param {string} host any address of the host
 * @param {import('./ways.js').Wish} [wish] by which way the picture is to come
 * @param {import('./signalling.js').Env} [env]
 */
export function openLink(instance, host, wish = 'auto', env = browserEnv()) {
  const viewerId = storage(() => sessionStorage.getItem(viewerKey(instance)));
  const url = socketUrl(host);
  const key = blockedKey(url);
  const blocked = storage(() => localStorage.getItem(key)) !== null;
  const link = new Link(url, instance, env, viewerId, wish, blocked);
  // Who asks for one way says nothing of the others.
  if (wish === 'auto') remember(link, key);
  return link;
}
