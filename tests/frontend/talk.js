/** What the host says to a page, and a page that has heard it. */

import { Link } from '../../static/viewer/link.js';
import { FakeConnection, FakeSocket, settle, world } from './support.js';

/** @param {string} [status] @param {object} [more] */
export const instance = (status = 'RUNNING', more = {}) => ({
  type: 'instance',
  instance_id: 'i',
  status,
  app: { id: 'orrery', name: 'Orrery' },
  restarts: 0,
  ...more,
});

export const welcome = { type: 'welcome', session_id: 's', viewer_id: 'v', ice_servers: [] };

/** @param {string} id of the peer */
export const answer = id => ({ type: 'answer', peer_id: id, sdp: `answer-${id}` });

/**
 * A viewer that has just started.
 * @param {object} [unusual] what its browser has otherwise
 * @param {import('../../static/viewer/ways.js').Wish} [wish]
 * @param {boolean} [blocked] whether WebRTC found no path the last time
 */
export function link(unusual = {}, wish = 'auto', blocked = false) {
  const around = world();
  FakeSocket.answers = true;
  const viewer = new Link('ws://host/ws', 'i', { ...around.env, ...unusual }, null, wish, blocked);
  viewer.start();
  return { ...around, viewer };
}

/**
 * The host accepts the latest socket.
 * @param {object} [first] what it says of the instance @param {string[]} [transports] the ways that it offers
 */
export async function greet(first = instance(), transports = undefined) {
  FakeSocket.last.accept();
  FakeSocket.last.say({ ...welcome, transports });
  FakeSocket.last.say(first);
  await settle();
}

/** The host answers the latest offer, and the connection comes up. @param {string} id of the peer */
export async function connect(id) {
  FakeSocket.last.say(answer(id));
  await settle();
  FakeConnection.last.become('connected');
  FakeConnection.last.channels.input.open();
  FakeConnection.last.channels.moves.open();
}

/** How many offers the latest socket has seen. */
export const offers = () => FakeSocket.last.sentOf('offer').length;
