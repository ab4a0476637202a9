import { lives } from './begun.js';

/** What most viewers never need: loaded when it may be. */
export const byWebSocket = () => import('./media-peer.js');
/** Needed by fewer still, and larger: loaded when it is. */
const byVnc = () => Promise.all([import('./vnc-peer.js'), import('./vnc-screen.js')]);

/**
 * What makes a peer of a way by a socket; null where what that takes cannot be had now.
 * @param {import('./ways.js').Way} way
 * @param {import('./carrying.js').Carrying['around']} around
 * @param {() => import('./media-frames.js').Codec[]} codecs that the browser decodes
 */
export async function makerOf(way, { env, instance, signalling }, codecs) {
  try {
    if (way === 'vnc') {
      const [{ VncPeer, vncUrl }, { screen }] = await byVnc();
      /** @param {string} viewer */
      return viewer => new VncPeer(vncUrl(signalling.url, { instance, viewer }), env, screen);
    }
    const { MediaPeer, mediaUrl } = await byWebSocket();
    /** @param {string} viewer */
    return viewer => {
      const wanted = { instance, viewer, codecs: codecs().join(',') };
      return new MediaPeer(mediaUrl(signalling.url, wanted), env);
    };
  } catch {
    return null;
  }
}

/**
 * A peer of the socket that a page has begun for its picture; null where there is none, or none is wanted any more.
 * @param {import('./begun.js').Begun['media'] | undefined} media
 * @param {import('./signalling.js').Env} env
 * @param {() => boolean} wanted
 */
export async function adopted(media, env, wanted) {
  const [by, begun] = await Promise.all([byWebSocket().catch(() => null), media]);
  if (!begun) return null;
  if (by && lives(begun) && wanted()) return new by.MediaPeer(begun.socket.url, env, begun);
  begun.socket.close();
  return null;
}
