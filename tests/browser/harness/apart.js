// Runs the file that imports this, before anything else of it, in a network namespace of its own: interfaces that come and
// go beside other tests make their browsers fail what they load (ERR_NETWORK_CHANGED), as they should.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { noNetworks } from './network.js';

const APART = 'HELIOSTAT_TEST_APART';

if (!process.env[APART] && !noNetworks()) {
  const within = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [APART]: 'yes' };
  const child = spawn('unshare', [...within, ...self], { stdio: 'inherit', env });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'exit');
  process.exit(code ?? 1);
}
