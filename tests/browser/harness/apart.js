// Runs the file that imports this, before anything else of it, in a network namespace of its own: interfaces that come and
// go beside other tests make their browsers fail what they load (ERR_NETWORK_CHANGED), as they should. The sockets of its
// displays are its own as well: X servers tell by abstract sockets, which belong to a network namespace, which numbers are
// taken, and would put their sockets of the same number in the place of those of other tests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { noNetworks } from './network.js';

const APART = 'HELIOSTAT_TEST_APART';

if (!process.env[APART] && !noNetworks()) {
  const sockets = '/tmp/.X11-unix';
  const own = `mkdir -p -m 1777 ${sockets} && mount -t tmpfs -o mode=1777 displays ${sockets} && ip link set lo up`;
  const within = ['--net', '--mount', 'sh', '-c', `${own} && exec "$@"`, 'sh'];
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [APART]: 'yes' };
  const child = spawn('unshare', [...within, ...self], { stdio: 'inherit', env });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'exit');
  process.exit(code ?? 1);
}
