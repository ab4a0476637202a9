// A certificate of the test's own, exchanged as a tool that renews would: another certificate, the same key.

import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';

/** What openssl is asked for: a key, and a certificate for loopback that is good for a day. */
const ASKED = [
  ['-subj', '/CN=heliostat test'],
  ['-addext', 'subjectAltName=IP:127.0.0.1'],
  ['-days', '1'],
].flat();

export class Certificate {
  /** @param {string} folder where to put it */
  constructor(folder) {
    this.certificate = join(folder, 'crt.pem');
    this.key = join(folder, 'key.pem');
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    this.#make([...curve, '-keyout', this.key]);
    // nginx gives its key to nobody else; the host may be somebody else.
    chmodSync(this.key, 0o600);
  }

  /** @param {string[]} how */
  #make(how) {
    const fresh = `${this.certificate}.new`;
    execFileSync('openssl', ['req', '-x509', ...how, ...ASKED, '-out', fresh], { stdio: 'ignore' });
    renameSync(fresh, this.certificate);
  }

  /** Puts another certificate of the same key in its place. */
  renew() {
    this.#make(['-key', this.key]);
  }

  /** The flag by which Chromium trusts its key, and no other that it does not know. */
  get flag() {
    const key = createPublicKey(readFileSync(this.key)).export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(key).digest('base64');
    return `--ignore-certificate-errors-spki-list=${pin}`;
  }
}

/** The fingerprint of the certificate that is shown there. @param {string} origin @returns {Promise<string>} */
export async function shownAt(origin) {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(20_000) });
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}
