/** What a browser keeps of a viewer from one page to the next, and what an address asks for. */

/**
 * What an attribute, or an address, says of the way of the picture; anything else means that it is left to the viewer.
 * @param {string | null} text
 * @returns {import('./ways.js').Wish}
 */
export const wishOf = text => (text === 'webrtc' || text === 'websocket' || text === 'vnc' ? text : 'auto');

/** The way that the address of a stream page asks for: `?transport=webrtc`, `websocket` or `vnc`. @param {string} search */
export const wishIn = search => wishOf(new URLSearchParams(search).get('transport'));

/** The instance that the address of a stream page names. @param {string} path */
export const instanceIn = path => path.split('/').filter(Boolean).pop() ?? '';

/** Where a tab keeps the id under which it views an instance: a reload is the same viewer. @param {string} instance */
export const viewerKey = instance => `heliostat.viewer.${instance}`;

/** Where a browser keeps that it found no path to a host by WebRTC. @param {string} url of the host's socket */
export const blockedKey = url => `heliostat.blocked.${new URL(url).host}`;
