import { digest } from './stats.js';

/**
 * What a connection says of itself, whichever way it goes.
 * @param {import('./carrying.js').Transport} peer
 * @param {import('./stats.js').Totals | null} before of the digest before
 * @param {number} at ms
 * @param {import('./photons.js').Photons | undefined} photons
 */
export async function reading(peer, before, at, photons) {
  const read =
    peer.kind !== 'webrtc'
      ? peer.digest(before, at)
      : digest([...(await peer.connection.getStats()).values()], before, at);
  return read && { ...read, digest: { ...read.digest, ...photons?.figures(at) } };
}
