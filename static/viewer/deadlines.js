/** How long a viewer waits for what, in milliseconds. */

/** From the offer to the state `connected`. */
export const CONNECT_WITHIN_MS = 10000;
/** WebRTC that brings nothing for so long, while the socket does, has lost its path. */
export const BLOCKED_MS = 2500;
/** How long a `watch` with a living peer waits for `resumed`. */
export const RESUME_WITHIN_MS = 800;
/** A connection that held this long was a good one: the back-off begins anew. */
export const STEADY_MS = 5000;
/** An instance known to exist may be unknown for a moment while a restarted host adopts it. */
export const ADOPTION_MS = 10000;
/** A host that said that it is going is not offered to for this long, unless another socket opens first. */
export const GOING_MS = 3000;
/** A socket that is doubted has to answer a ping within this time. */
export const DOUBT_MS = 3000;
/** The same where nothing comes through the connection either. */
export const SILENT_DOUBT_MS = 1500;
/** The same after a time without a network: this machine probably has other addresses now. */
export const BACK_DOUBT_MS = 1000;
