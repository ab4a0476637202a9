import { climb, foot } from './ladder.js';

/** @typedef {import('./ladder.js').Event} Event */
/** @typedef {import('./peer.js').Peer} Peer */

/**
 * What carrying out needs of the link.
 * @typedef {object} Surroundings
 * @property {import('./signalling.js').Env} env
 * @property {() => Peer | null} peer the one of the moment
 * @property {(message: import('./protocol.js').ClientMessage) => boolean} send over the socket, if it is open
 * @property {(reason: string) => void} lose gives the peer up, for a new offer
 * @property {(rung: import('./ladder.js').Rung) => void} changed
 */

/**
 * Carries out what the ladder says: restarts ICE of the peer of the moment, and gives up the peer when that does not
 * help. It survives a socket that is away (the offer waits for the next one) and a host that does not answer.
 */
export class Paths {
  /** Which paths may be looked for. @type {import('./peer.js').Ice} */
  ice = { iceServers: [], iceTransportPolicy: 'all' };
  #ladder = foot();
  #timer = 0;
  /** The peer that is being restarted, until the host has answered. @type {Peer | null} */
  #restarting = null;
  /** Its offer, while there is no socket for it. @type {string | null} */
  #unsent = null;

  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
  }

  /** @param {import('./protocol.js').IceMessage} told by the host */
  configure({ ice_servers = [], ice_transport_policy = 'all' }) {
    this.ice = { iceServers: ice_servers, iceTransportPolicy: ice_transport_policy };
  }

  /**
   * Fresh credentials: a relay that is in use is left for one that they open, before the old ones are worth nothing.
   * @param {import('./protocol.js').IceMessage} told by the host
   */
  async refresh(told) {
    this.configure(told);
    const peer = this.around.peer();
    if (!peer?.id) return;
    peer.configure(this.ice);
    const relayed = await peer.relayed().catch(() => false);
    if (relayed && peer === this.around.peer()) this.tell('refresh');
  }

  /** @param {Event} event */
  tell(event) {
    const { env } = this.around;
    const before = this.#ladder.rung;
    const { ladder, effect } = climb(this.#ladder, event, env.now());
    this.#ladder = ladder;
    env.clearTimeout(this.#timer);
    if (ladder.until !== null) {
      this.#timer = env.setTimeout(() => this.tell('tick'), ladder.until - env.now());
    }
    if (ladder.rung !== before) this.around.changed(ladder.rung);
    // Only then is it certain that the path in use still works.
    if (effect === 'restart') void this.#restart(event === 'refresh');
    else if (effect === 'undo') this.#undo();
    else if (effect === 'offer') this.around.lose('ice_failed');
  }

  /** The host answers. @param {string} sdp */
  async answered(sdp) {
    const peer = this.#restarting;
    this.#restarting = this.#unsent = null;
    if (!peer || peer !== this.around.peer()) return;
    try {
      await peer.restarted(sdp);
      this.tell('moved');
    } catch {
      this.tell('refused');
    }
  }

  /** There is a socket again, and the host still has the peer. */
  resumed() {
    const peer = this.#restarting;
    if (peer && this.#unsent !== null) this.#send(peer, this.#unsent);
    else if (this.around.peer()?.connection.connectionState === 'disconnected') this.tell('interrupted');
  }

  /** The peer of the moment goes: nothing about it is waited for any more. */
  drop() {
    this.around.env.clearTimeout(this.#timer);
    this.#restarting = this.#unsent = null;
  }

  /** @param {boolean} patient */
  async #restart(patient) {
    const peer = this.around.peer();
    if (!peer?.id) return;
    this.#restarting = peer;
    try {
      const sdp = await peer.restart(this.ice, patient);
      // It was given up meanwhile.
      if (this.#restarting === peer) this.#send(peer, sdp);
    } catch {
      if (this.#restarting === peer) this.tell('refused');
    }
  }

  /** @param {Peer} peer @param {string} sdp */
  #send(peer, sdp) {
    const sent = this.around.send({ type: 'restart_ice', peer_id: peer.id, sdp });
    this.#unsent = sent ? null : sdp;
  }

  #undo() {
    const peer = this.around.peer();
    this.drop();
    // What cannot be taken back goes on as it is; the next restart, or a new offer, mends it.
    peer?.undo().catch(() => {});
  }
}
