/**
 * What the page does when the host has closed its peer connection, by the reason that the host gives. Pure.
 *
 * - `offer`: another connection helps; it is offered at once, or with back-off where the last ones did not hold.
 * - `wait`: the host is going; an offer would be refused. The next socket, to the host that follows, offers.
 * - `end`: the instance has ended; nothing is offered until it lives again.
 * - `leave`: what let this viewer in has ended; nothing is offered until it is let in again.
 * - `rename`: another tab has this viewer id (a duplicated tab copies it): this one becomes somebody else.
 */

/** @typedef {import('./protocol.js').CloseReason} CloseReason */
/** @typedef {'offer'|'wait'|'end'|'leave'|'rename'} Step */

/** @type {Readonly<Record<CloseReason, Step>>} */
export const AFTER_CLOSE = Object.freeze({
  requested: 'offer',
  instance_ended: 'end',
  app_exited: 'end',
  ice_failed: 'offer',
  superseded: 'rename',
  resume_expired: 'offer',
  host_shutdown: 'wait',
  access_ended: 'leave',
  signed_out: 'offer',
  gave_way: 'offer',
  fault: 'offer',
});

/** @type {Readonly<Record<CloseReason, string>>} */
const WORDS = Object.freeze({
  requested: 'The host closed the connection; making a new one.',
  instance_ended: 'The program was terminated.',
  app_exited: 'The program was closed.',
  ice_failed: 'No network path to the host was found; trying again.',
  superseded: 'Another tab has taken over; making a connection of its own.',
  resume_expired: 'The earlier connection has expired; making a new one.',
  host_shutdown: 'The host is restarting.',
  signed_out: 'Your session has changed; making a new connection.',
  access_ended: 'The link that let you in was revoked or has expired.',
  gave_way: 'Others need the room; trying again.',
  fault: 'The connection had a fault and is being made anew.',
});

/** Why the host refused an offer that may be taken later, by the code of the error. @type {Readonly<Record<string, string>>} */
const REFUSALS = Object.freeze({
  no_udp_port: 'The host has no UDP port left for another viewer. Its operator can widen media.udp_ports.',
  no_media_address: 'The host has none of its addresses for media now. Its operator can look at media.bind.',
  too_many_peers: 'As many viewers as this program may have are connected.',
  too_many_offers: 'The connections asked for before are still being made.',
});

/**
 * What to do about a reason, one of a newer host included.
 * @param {string} reason
 * @returns {Step}
 */
export const afterClose = reason =>
  Object.hasOwn(AFTER_CLOSE, reason) ? AFTER_CLOSE[/** @type {CloseReason} */ (reason)] : 'offer';

/**
 * The reason in words, also that of a refused offer.
 * @param {string} reason
 * @returns {string}
 */
export function closeWords(reason) {
  if (Object.hasOwn(REFUSALS, reason)) return REFUSALS[reason];
  return Object.hasOwn(WORDS, reason) ? WORDS[/** @type {CloseReason} */ (reason)] : WORDS.fault;
}

/** Errors that are the answer to an offer and that another offer does not mend. */
export const OFFER_FAULTS = new Set(['no_common_codec', 'bad_sdp', 'transport_not_offered']);
/** Why a connection is gone that has, or finds, no path. */
export const PATHLESS = new Set(['ice_failed', 'no_udp_port', 'no_media_address']);
