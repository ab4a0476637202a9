// Requests to a host, encrypted or not. Who is at the other end is for the browser to check: here any certificate will do.

import { request as plain } from 'node:http';
import { request as encrypted } from 'node:https';

/**
 * On a connection of its own: one that is kept is closed by the host after 5 s, just when another request may be on its way.
 *
 * @param {string} url
 * @param {import('node:http').RequestOptions} options
 */
export function request(url, options) {
  const own = { agent: false, ...options };
  return url.startsWith('https:') ? encrypted(url, { ...own, rejectUnauthorized: false }) : plain(url, own);
}

/** The status of an answer. @param {string} url @returns {Promise<number>} */
export function statusOf(url) {
  return new Promise((resolve, reject) => {
    const call = request(url, { timeout: 20_000 });
    call.on('timeout', () => call.destroy(new Error(`${url}: no answer within 20 s`)));
    call.on('error', reject);
    call.on('response', response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.end();
  });
}
