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
  /** Offers of restarts that went out over this socket and have no answer yet: all but the last are out of date. */
  #sent = 0;
  /** Whether the last went out over a socket that took it along. */
  #unheard = false;
  /** Counts restarts: one that was overtaken while it was prepared is not sent. */
  #turn = 0;

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
    if (this.#outdated()) return;
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

  /** The host does not restart. */
  refused() {
    if (!this.#outdated()) this.tell('refused');
  }

  /** The answers that are due will not come. */
  socketLost() {
    this.#unheard = this.#sent > 0;
    this.#sent = 0;
  }

  /**
   * There is a socket again, and the host still has the peer.
   * @param {boolean} silent whether nothing comes through
   */
  resumed(silent) {
    const peer = this.#restarting;
    const unheard = this.#unheard;
    this.#unheard = false;
    if (peer && this.#unsent !== null) this.#send(peer, this.#unsent);
    else if (peer && unheard) this.tell('anew');
    else if (silent || this.around.peer()?.connection.connectionState === 'disconnected')
      this.tell('interrupted');
  }

  /** The peer of the moment goes: nothing about it is waited for any more. */
  drop() {
    this.#forget();
    this.#sent = 0;
    this.#unheard = false;
  }

  #forget() {
    this.around.env.clearTimeout(this.#timer);
    this.#restarting = this.#unsent = null;
    this.#turn += 1;
  }

  /** Whether what the host says now is about a restart that another one has overtaken. The host answers in order. */
  #outdated() {
    if (this.#sent > 0) this.#sent -= 1;
    return this.#sent > 0;
  }

  /** @param {boolean} patient */
  async #restart(patient) {
    const peer = this.around.peer();
    if (!peer?.id) return;
    this.#restarting = peer;
    this.#unsent = null;
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const sdp = await peer.restart(this.ice, patient);
      if (turn === this.#turn) this.#send(peer, sdp);
    } catch {
      if (turn === this.#turn) this.tell('refused');
    }
  }

  /** @param {Peer} peer @param {string} sdp */
  #send(peer, sdp) {
    const sent = this.around.send({ type: 'restart_ice', peer_id: peer.id, sdp });
    if (sent) this.#sent += 1;
    this.#unsent = sent ? null : sdp;
  }

  #undo() {
    const peer = this.around.peer();
    this.#forget();
    // What cannot be taken back goes on as it is; the next restart, or a new offer, mends it.
    peer?.undo().catch(() => {});
  }
}
