/**
 * The shapes of the signalling messages (sub-protocol `heliostat.v1`) and the words they use.
 */

export const SUBPROTOCOL = 'heliostat.v1';

/** Where a host takes sockets. @param {string} host any address of it */
export function socketUrl(host) {
  const url = new URL('/ws', host);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** @typedef {'IDLE'|'INITIALIZING'|'RUNNING'|'DEINITIALIZING'|'TERMINATED'|'RESTARTING'|'FAILED'} InstanceStatus */
/** @typedef {'admin'|'owner'|'controller'|'spectator'} Role */
/**
 * @typedef {'requested'|'instance_ended'|'app_exited'|'ice_failed'|'superseded'|'resume_expired'|'host_shutdown'
 *   |'access_ended'|'signed_out'|'gave_way'|'fault'} CloseReason
 */

/**
 * State of an instance as a viewer is told it, on the socket and on the `input` channel.
 * @typedef {object} InstanceMessage
 * @property {string} instance_id
 * @property {InstanceStatus} status
 * @property {string} [reason] stable code, e.g. `crash_loop`
 * @property {string} [message] the reason in words
 * @property {{id: string, name: string, keyboard?: 'text'|'physical'}} [app]
 * @property {{width: number, height: number}} [size] pixels
 * @property {string[]} [output] the app's last lines
 * @property {number} [retry_in_ms] until the next attempt to start it
 * @property {number} [restarts]
 * @property {AppWindow[]} [windows] for who may choose among them, where there is something to choose
 * @property {RenditionEntry[]} [renditions] the forms that the picture can be had in, where there is a choice
 * @property {number} [text_not_typed] characters that could not be typed since the launch
 */

/** A form of the picture. @typedef {{percent: number, fps: number, kbps: number}} RenditionEntry */

/** A window of the app. @typedef {{id: number, title: string, active: boolean, hidden: boolean}} AppWindow */

/** @typedef {{viewer_id: string, role: Role}} ViewerEntry */

/** @typedef {{ice_servers?: RTCIceServer[], ice_transport_policy?: RTCIceTransportPolicy, expires_in?: number}} IceMessage */

/** @typedef {{session_id: string, viewer_id: string, transports?: string[]} & IceMessage} Welcome */

/**
 * @typedef {({type: 'welcome'} & Welcome)
 *   | ({type: 'ice_servers'} & IceMessage)
 *   | {type: 'restart_ice', peer_id: string}
 *   | ({type: 'instance'} & InstanceMessage)
 *   | {type: 'answer', peer_id: string, sdp: string}
 *   | {type: 'candidate', peer_id: string, candidate: RTCIceCandidateInit | null}
 *   | {type: 'resumed', peer_id: string}
 *   | {type: 'viewers', count: number, viewers: ViewerEntry[]}
 *   | {type: 'control', holder: string | null, role: Role}
 *   | {type: 'closed', peer_id: string, reason: CloseReason}
 *   | {type: 'error', code: string, message: string, retry_after?: number, peer_id?: string}
 *   | {type: 'pong', t: number}} ServerMessage
 */

/** @typedef {{type: string, [key: string]: unknown}} ClientMessage */

/** Statuses in which an instance takes a new peer. */
const OFFERABLE = new Set(['INITIALIZING', 'RUNNING', 'RESTARTING']);

/** @param {InstanceStatus | undefined} status */
export const takesPeers = status => status !== undefined && OFFERABLE.has(status);

/**
 * Parses a text frame of the server; null for anything that is not an object with a type.
 * @param {unknown} data
 * @returns {ServerMessage | null}
 */
export function parse(data) {
  if (typeof data !== 'string') return null;
  try {
    const message = JSON.parse(data);
    return message && typeof message === 'object' && typeof message.type === 'string' ? message : null;
  } catch {
    return null;
  }
}
