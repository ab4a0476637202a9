import { browserEnv } from '../lib/env.js';
import { storage } from '../lib/storage.js';
import { blockedKey, viewerKey } from './kept.js';
import { Link } from './link.js';
import { socketUrl } from './protocol.js';

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
 * @param {import('./signalling.js').Env['codecs']} [codecs] what the browser decodes, where that was looked at
 */
export function openLink(instance, host, wish = 'auto', codecs = undefined) {
  const viewerId = storage(() => sessionStorage.getItem(viewerKey(instance)));
  const url = socketUrl(host);
  const key = blockedKey(url);
  const blocked = storage(() => localStorage.getItem(key)) !== null;
  const link = new Link(url, instance, { ...browserEnv(), codecs }, viewerId, wish, blocked);
  // Who asks for one way says nothing of the others.
  if (wish === 'auto') remember(link, key);
  return link;
}
