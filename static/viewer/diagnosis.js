/**
 * Why no path to the host was found, for whom that concerns: the one who looks, and the operator of the host. Pure.
 */

/**
 * @typedef {object} Evidence
 * @property {RTCIceServer[]} servers what the host told of
 * @property {RTCIceTransportPolicy} policy
 * @property {string[]} found the types of the candidates found here: `host`, `srflx`, `relay`
 * @property {{code: number, url: string}[]} errors of the servers (W3C WebRTC, `RTCPeerConnectionIceErrorEvent`)
 */

/** @typedef {{code: string, title: string, detail: string}} Diagnosis */

const TRY = '`heliostat check-ice` says what works.';

/**
 * @param {Evidence} evidence of a connection that was not made
 * @param {import('./way-keeper.js').Lack | null} [lack] why the picture cannot come by a WebSocket instead, where it might
 * @returns {Diagnosis}
 */
export function diagnose(evidence, lack = null) {
  const diagnosis = withoutSocket(evidence);
  return lack ? { ...diagnosis, detail: `${diagnosis.detail} ${LACKING[lack]}` } : diagnosis;
}

const LACKING = Object.freeze({
  insecure: 'Without a path the picture can come by a WebSocket, but only to pages opened by https.',
  missing:
    'Without a path the picture can come by a WebSocket, but not to this browser: it has no WebCodecs.',
});

/** @param {Evidence} evidence @returns {Diagnosis} */
function withoutSocket({ servers, policy, found, errors }) {
  const relays = servers
    .flatMap(({ urls }) => urls)
    .filter(url => /^turns?:/.test(url))
    .map(shortened);
  if (relays.length === 0) {
    return policy === 'relay'
      ? because(
          'relay_without_turn',
          'This host takes connections through a TURN server only, and no TURN server is configured.',
          `Its operator has to set ice.servers and ice.secret_file. ${TRY}`,
        )
      : because(
          'no_path',
          'No direct path was found, and no TURN server is configured that could relay.',
          `Its operator has to let the UDP ports of media.udp_ports through the firewall, and to set ice.public_address where the host is behind NAT, or to set up a TURN server and name it in ice.servers. ${TRY}`,
        );
  }
  if (found.includes('relay')) {
    return because(
      'relay_blocked',
      'The TURN server works, but the host was not reached through it.',
      `Its operator has to let the TURN server reach the UDP ports of media.udp_ports, and the TURN server has to allow the host's address. ${TRY}`,
    );
  }
  const of = (/** @type {number[]} */ ...codes) => errors.some(({ code }) => codes.includes(code));
  if (of(401, 403, 431, 441)) {
    return because(
      'turn_refused',
      'The TURN server refuses the credentials that the host makes.',
      `Its operator has to give host and TURN server the same secret (ice.secret_file), and the right time. ${TRY}`,
    );
  }
  if (of(486, 508)) {
    return because(
      'turn_full',
      'The TURN server has no place left.',
      `Its operator has to raise its quotas or its range of ports. ${TRY}`,
    );
  }
  return because(
    'turn_unreachable',
    `No TURN server was reached from here (${relays.join(', ')}).`,
    `A firewall may be in between: a TURN server with TLS on port 443 passes most of them. ${TRY}`,
  );
}

/** @param {string} code @param {string} why @param {string} remedy @returns {Diagnosis} */
const because = (code, why, remedy) => ({
  code,
  title: 'No path to the host',
  detail: `${why} ${remedy}`,
});

/** @param {string} url */
const shortened = url => url.replace('?transport=', ' ');
