// The emulator of lines with real packets: what the tests and figures of bad lines rest on.

import './harness/apart.js';

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Line, noLines } from './harness/line.js';

const skip = noLines();
/** @type {Line} */
let line;
before(async () => {
  if (!skip) line = await Line.make({ every: 100 });
});
after(async () => line?.end());

/** @param {string} sentence @param {() => Promise<void>} act */
const lined = (sentence, act) =>
  test(sentence, { skip, timeout: 60_000 }, async () => {
    await line.reset();
    await act();
  });

/** Takes what a TCP server sends until it ends, there. */
const TAKE = `
const [host, port] = process.argv.slice(1);
const hash = require('crypto').createHash('sha256');
const begun = performance.now();
let bytes = 0;
const socket = require('net').connect(port, host);
socket.on('data', part => { bytes += part.length; hash.update(part); });
socket.on('end', () => console.log(JSON.stringify({ bytes, hash: hash.digest('hex'), ms: performance.now() - begun })));
socket.on('error', error => console.log(JSON.stringify({ error: error.code })));
setTimeout(() => { console.log(JSON.stringify({ error: 'late' })); process.exit(); }, 20_000).unref();
`;

/** Sends datagrams, one every 3 ms, and counts those that come back until none comes any more, there. */
const ECHO = `
const [host, port, count] = process.argv.slice(1);
const socket = require('dgram').createSocket('udp4');
const back = [];
let [sent, heard] = [0, 0];
socket.on('message', part => {
  back.push([part.readUInt32BE(), part.length]);
  heard = performance.now();
});
const timer = setInterval(() => {
  const part = Buffer.alloc(1000);
  part.writeUInt32BE(sent);
  socket.send(part, Number(port), host, () => {});
  sent += 1;
  if (sent < Number(count)) return;
  clearInterval(timer);
  heard = performance.now();
  setInterval(() => {
    if (back.length < sent && performance.now() - heard < 2000) return;
    console.log(JSON.stringify(back));
    process.exit();
  }, 20);
}, 3);
`;

/** Runs a script in the viewer's network. @param {string} script @param {(string | number)[]} args */
async function there(script, ...args) {
  const [command, ...rest] = [...line.there, process.execPath, '-e', script, ...args.map(String)];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', text => {
    said += text;
  });
  await once(child, 'close');
  return JSON.parse(said);
}

/**
 * A server that sends something to everybody who comes.
 *
 * @param {Buffer} whole @param {(port: number) => Promise<void>} act
 */
async function serving(whole, act) {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.end(whole);
  }).listen(0, line.host);
  await once(server, 'listening');
  try {
    await act(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
  } finally {
    server.close();
  }
}

/** Echoes datagrams. @param {(port: number) => Promise<void>} act */
async function echoing(act) {
  const socket = createSocket('udp4');
  socket.on('message', (part, { address, port }) => socket.send(part, port, address));
  socket.bind(0, line.host);
  await once(socket, 'listening');
  try {
    await act(socket.address().port);
  } finally {
    socket.close();
  }
}

const hashOf = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');

lined(
  'a line without limits carries every bit of a stream, much faster than any other line here',
  async () => {
    const whole = randomBytes(16 << 20);
    await serving(whole, async port => {
      /** @type {number[]} */
      const rates = [];
      // Another test may have the machine's cores for a while.
      while (rates.length < 4 && !rates.some(rate => rate > 100)) {
        const { bytes, hash, ms } = await there(TAKE, line.host, port);
        assert.deepEqual([bytes, hash], [whole.length, hashOf(whole)]);
        rates.push((bytes * 8) / ms / 1000);
      }
      console.log(`  ${rates.map(rate => rate.toFixed(0)).join(', ')} Mbit/s`);
      assert.ok(rates.some(rate => rate > 100));
    });
  },
);

lined('a rate and a queue make of a stream what they would on a real line', async () => {
  await line.change({ down: { rate_kbps: 4_000, queue_ms: 20, delay_ms: 10 }, up: { delay_ms: 10 } });
  const whole = randomBytes(1 << 20);
  await serving(whole, async port => {
    const from = await line.count();
    const { hash, ms } = await there(TAKE, line.host, port);
    assert.equal(hash, hashOf(whole));
    const rate = (whole.length * 8) / ms;
    assert.ok(rate > 2_000 && rate < 4_000, `${rate.toFixed(0)} kbit/s of content`);
    const to = await line.count();
    assert.ok(to.down.full.packets > from.down.full.packets, 'TCP found the end of the queue');
    for (const { down, up } of [to])
      for (const { offered, carried, full, lost, cut, blocked, within } of [down, up]) {
        const sum = [carried, full, lost, cut, blocked, within].reduce((all, one) => all + one.bytes, 0);
        assert.equal(offered.bytes, sum, 'nothing is lost without a cause');
      }
  });
});

lined('datagrams are lost, overtaken and kept back as told', async () => {
  await echoing(async port => {
    const ask = () => there(ECHO, line.host, port, 100);
    const whole = await ask();
    assert.deepEqual(
      whole,
      Array.from({ length: 100 }, (_, i) => [i, 1000]),
    );
    await line.change({ down: { jitter_ms: 60, reorder: true } });
    const mixed = await ask();
    assert.equal(mixed.length, 100);
    assert.notDeepEqual(mixed, whole, 'some were overtaken');
    await line.change({ down: { loss: 0.3 }, up: {} });
    const some = await ask();
    assert.ok(some.length > 40 && some.length < 95, `${some.length} of 100 came back`);
    await line.change({ both: { no_udp: true } });
    assert.deepEqual(await ask(), []);
  });
});

lined('behind a firewall of one port everything else is lost', async () => {
  await serving(Buffer.from('hello'), async port => {
    await line.change({ both: { only_tcp_port: port } });
    assert.equal((await there(TAKE, line.host, port)).bytes, 5);
    await echoing(async other => assert.deepEqual(await there(ECHO, line.host, other, 5), []));
  });
});

lined('a viewer that has moved is reached under its other address', async () => {
  const from = line.viewer;
  line.move();
  assert.notEqual(line.viewer, from);
  await serving(Buffer.from('hello'), async port => {
    assert.equal((await there(TAKE, line.host, port)).bytes, 5);
  });
});

lined('an outage ends when it is told to', async () => {
  await line.change({ both: { cut: true } });
  await serving(Buffer.from('hello'), async port => {
    const taken = there(TAKE, line.host, port);
    await sleep(300);
    await line.change({ both: {} });
    assert.equal((await taken).bytes, 5);
  });
});

lined('an order that makes no line is refused, and the line goes on as it was', async () => {
  await assert.rejects(line.change({ down: { rate_kbps: 0 } }), /carries nothing is \{"cut":true\}/);
  await assert.rejects(line.change(/** @type {any} */ ({ sideways: {} })), /unknown field/);
  await assert.rejects(line.change({}), /names "down"/);
  await serving(Buffer.from('hello'), async port => {
    assert.equal((await there(TAKE, line.host, port)).bytes, 5);
  });
});
