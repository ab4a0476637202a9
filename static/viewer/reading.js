import { digest } from './stats.js';

/**
 * What a connection says of itself, whichever way it goes.
 * @param {import('./carrying.js').Transport} peer
 * @param {import('./stats.js').Totals | null} before of the digest before
 * @param {number} at ms
 */
export async function reading(peer, before, at) {
  if (peer.kind !== 'webrtc') return peer.digest(before, at);
  const report = await peer.connection.getStats();
  return digest([...report.values()], before, at);
}
