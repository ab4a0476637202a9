// The viewer of `frames.js`: takes every frame at once, and notes how old it was.

import { createInterface } from 'node:readline';
import { decodeMedia, taken } from '../../static/viewer/media-frames.js';
import { Client } from '../../tests/browser/harness/rest.js';
import { Socket } from '../../tests/browser/harness/socket.js';
import { until } from '../../tests/browser/harness/wait.js';

const [origin, from] = process.argv.slice(2);
const host = /** @type {any} */ ({ origin, auth: 'open' });
const client = await Client.withSession(host, from);
const { body } = await client.post('/api/v1/instances', { app: 'target' });
const id = body.instance_id;
await until('it runs', async () => (await client.get(`/api/v1/instances/${id}`)).body.status === 'RUNNING');
const signalling = await Socket.greeted(client);
signalling.send({ type: 'hello' });
const { viewer_id } = await signalling.next('welcome');
signalling.send({ type: 'watch', instance_id: id });
await signalling.next('control');
const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log('ready');
await orders.next();

/** @type {{ at: number, age: number, bytes: number, key: boolean }[]} */
const frames = [];
const path = `/ws/media?instance=${id}&viewer=${viewer_id}&codecs=h264`;
const { socket } = await Socket.open(client, { 'sec-websocket-protocol': 'heliostat.media.v1' }, path);
if (!socket) throw new Error('no media socket');
let read = 0;
let count = 0;
const time = () => performance.now() >>> 0;
const look = () => {
  while (read < socket.binary.length) {
    const bytes = socket.binary[read++];
    const message = decodeMedia(new Uint8Array(bytes).buffer);
    if (message?.type === 'opened') socket.sendBinary(Buffer.from(taken(0, time())));
    if (message?.type !== 'frame') continue;
    count += 1;
    socket.sendBinary(Buffer.from(taken(count, time())));
    // Both clocks are CLOCK_MONOTONIC.
    const age = Number(process.hrtime.bigint() / 1000n) / 1000 - message.ptsUs / 1000;
    frames.push({ at: Date.now(), age, bytes: bytes.length, key: message.key });
  }
};
socket.stream.on('data', look);
look();
await orders.next();
console.log(JSON.stringify(frames));
process.exit();
