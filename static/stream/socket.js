import { inFragment } from '../lib/fragment.js';
import { knownSession, storage } from '../lib/storage.js';
import { begin } from '../viewer/begun.js';
import { blockedKey, instanceIn, viewerKey, wishIn } from '../viewer/kept.js';
import { socketUrl } from '../viewer/protocol.js';

/**
 * The page's first sockets, which the host writes into the page's own text. None for a browser without a session, which has to get
 * one first, and none for one that comes by a link, which has to be exchanged first.
 */
if (knownSession() && !inFragment(location, 'link')) {
  const instance = instanceIn(location.pathname);
  const wish = wishIn(location.search);
  const blocked = storage(() => localStorage.getItem(blockedKey(socketUrl(location.href))));
  /** @type {import('./early.js').Beginning} */ (globalThis).heliostatBegun = begin(
    { WebSocket, VideoDecoder: window.VideoDecoder, claim: () => crypto.randomUUID() },
    location.href,
    {
      instance,
      viewerId: storage(() => sessionStorage.getItem(viewerKey(instance))),
      picture: !document.hidden && (wish === 'websocket' || (wish === 'auto' && blocked !== null)),
    },
  );
}
