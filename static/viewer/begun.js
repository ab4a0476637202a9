import { decodable } from './decodable.js';
import { MEDIA_SUBPROTOCOL, mediaUrl } from './media-frames.js';
import { SUBPROTOCOL, socketUrl } from './protocol.js';

/**
 * What a page opens before there is anybody to use it: the socket for signalling, which greets by itself, and the one for the
 * picture where that comes by one. To open one takes two round trips, and to be welcomed a third: as long as to fetch the script.
 *
 * The host gives the second one to the viewer that the first one makes this page: by a *claim*, which both say.
 */

/** A socket, and what came by it before somebody listens. @typedef {{socket: WebSocket, heard: MessageEvent[]}} Opening */

/**
 * @typedef {object} Begun
 * @property {Opening} signalling
 * @property {boolean} greeted whether it has said `hello` and `watch`
 * @property {string | null} claim what `watch` has to say, where a socket for the picture is opened
 * @property {Promise<Opening | null>} media that socket; null where nothing can be decoded
 * @property {Promise<import('./media-frames.js').Codec[]> | undefined} codecs what can be decoded, where it was looked
 */

/**
 * @param {{WebSocket: typeof WebSocket, VideoDecoder?: typeof VideoDecoder, claim: () => string}} env
 * @param {string} host any address of it
 * @param {{instance: string, viewerId: string | null, picture: boolean}} wanted `picture`: whether it comes by a WebSocket
 * @returns {Begun}
 */
export function begin(env, host, { instance, viewerId, picture }) {
  const url = socketUrl(host);
  const socket = new env.WebSocket(url, SUBPROTOCOL);
  /** @type {Begun} */
  const begun = {
    signalling: listening(socket),
    greeted: false,
    claim: null,
    media: Promise.resolve(null),
    codecs: undefined,
  };
  if (picture && env.VideoDecoder) {
    const claim = env.claim();
    begun.claim = claim;
    begun.codecs = decodable(env.VideoDecoder).catch(() => []);
    begun.media = begun.codecs.then(codecs =>
      codecs.length > 0
        ? listening(
            new env.WebSocket(
              mediaUrl(url, { instance, claim, codecs: codecs.join(',') }),
              MEDIA_SUBPROTOCOL,
            ),
          )
        : null,
    );
  }
  socket.onopen = () => {
    begun.greeted = true;
    for (const message of greeting(instance, viewerId, begun.claim)) socket.send(JSON.stringify(message));
  };
  return begun;
}

/**
 * What a new viewer says first.
 * @param {string} instance @param {string | null} viewerId @param {string | null} claim
 */
function greeting(instance, viewerId, claim) {
  return [
    { type: 'hello', ...(viewerId ? { viewer_id: viewerId } : {}) },
    { type: 'watch', instance_id: instance, ...(claim ? { claim } : {}) },
  ];
}

/** @param {WebSocket} socket @returns {Opening} */
function listening(socket) {
  socket.binaryType = 'arraybuffer';
  // overflow: none is left out; of a picture that is not taken the host sends no more than a line may have under way.
  /** @type {MessageEvent[]} */
  const heard = [];
  socket.onmessage = event => heard.push(event);
  return { socket, heard };
}

/** Whether it opens, or is open. @param {Opening} opening */
export const lives = ({ socket }) => socket.readyState < 2;
