// The REST interface as a program uses it, with every header in the test's hand.

import assert from 'node:assert/strict';
import { request } from './request.js';
import { until } from './wait.js';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {any} body parsed where it is JSON, else a Buffer
 */

export class Client {
  /** @type {Map<string, string>} */
  cookies = new Map();
  /** The public id of its session. */
  sessionId = '';
  /** Where it calls from: loopback has many addresses. */
  from = '127.0.0.1';

  /** @param {import('./host.js').Host} host */
  constructor(host) {
    this.host = host;
  }

  /** A client with the cookies of a browser. @param {import('./host.js').Host} host @param {import('playwright-core').BrowserContext} context */
  static async of(host, context) {
    const client = new Client(host);
    for (const { name, value } of await context.cookies(host.origin)) client.cookies.set(name, value);
    return client;
  }

  /** Exchanges the token and opens a session. @param {import('./host.js').Host} host @param {string} [from] */
  static async withSession(host, from = '127.0.0.1') {
    const client = new Client(host);
    client.from = from;
    if (host.auth === 'token') {
      const answer = await client.post('/api/v1/auth', { token: host.token });
      assert.equal(answer.status, 204);
    }
    const { status, body } = await client.post('/api/v1/sessions', {});
    assert.ok(status === 200 || status === 201, `a session, not ${status}`);
    client.sessionId = body.session_id;
    return client;
  }

  /** A client that may only watch. @param {import('./host.js').Host} host */
  static async guest(host) {
    const client = new Client(host);
    const { status, body } = await client.post('/api/v1/sessions', { guest: true });
    assert.equal(status, 201);
    client.sessionId = body.session_id;
    return client;
  }

  /** Whether it has shown the token, or needs none. */
  get mayLaunch() {
    return this.host.auth === 'open' ? this.cookies.size > 0 : this.cookies.size > 1;
  }

  get cookieHeader() {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body] sent as JSON; a string or Buffer as it is
   * @param {Record<string, string>} [headers]
   * @returns {Promise<Answer>}
   */
  ask(method, path, body, headers = {}) {
    const raw =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const all = {
      origin: this.host.origin,
      ...(this.cookies.size > 0 ? { cookie: this.cookieHeader } : {}),
      ...(raw === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': `${Buffer.byteLength(raw)}` }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers: all, timeout: 20_000, localAddress: this.from };
      const call = request(`${this.host.origin}${path}`, options);
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 20 s`)));
      call.on('error', reject);
      call.on('response', async response => {
        try {
          const parts = [];
          for await (const part of response) parts.push(part);
          this.#keep(response.headers['set-cookie']);
          const bytes = Buffer.concat(parts);
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : bytes,
          });
        } catch (error) {
          reject(error);
        }
      });
      call.end(raw);
    });
  }

  /** @param {string[] | undefined} set */
  #keep(set = []) {
    for (const line of set) {
      const [pair, ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const gone = attributes.some(attribute => /^\s*max-age=0$/i.test(attribute));
      if (gone) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }

  /** @param {string} path */
  get(path) {
    return this.ask('GET', path);
  }

  /** @param {string} path @param {unknown} body */
  post(path, body) {
    return this.ask('POST', path, body);
  }

  /** @param {string} path */
  delete(path) {
    return this.ask('DELETE', path);
  }

  /** @returns {Promise<any[]>} my instances */
  async instances() {
    const { status, body } = await this.get('/api/v1/instances');
    assert.equal(status, 200);
    for (const { instance_id } of body.instances) this.host.instances.add(instance_id);
    return body.instances;
  }

  /** @returns {Promise<number>} the places that my living instances take */
  async places() {
    const { status, body } = await this.get('/api/v1/instances');
    assert.equal(status, 200);
    return body.capacity.mine;
  }

  /** @param {string} app @param {object} [more] @returns {Promise<any>} the instance */
  async launch(app, more = {}) {
    const { status, body } = await this.post('/api/v1/instances', { app, ...more });
    assert.equal(status, 201, `launched, not ${status} ${JSON.stringify(body)}`);
    this.host.instances.add(body.instance_id);
    return body;
  }

  /** @param {string} id @returns {Promise<any>} */
  async instance(id) {
    const { status, body } = await this.get(`/api/v1/instances/${id}`);
    assert.equal(status, 200, `the instance, not ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /**
   * Waits for the status of an instance.
   *
   * @param {string} id
   * @param {string} status
   * @param {number} [within] milliseconds
   * @returns {Promise<any>} the instance
   */
  statusBecomes(id, status, within = 60_000) {
    return until(
      `the status becomes ${status}`,
      async () => {
        const instance = await this.instance(id);
        if (instance.status !== status) throw new Error(`${instance.status} ${instance.reason ?? ''}`);
        return instance;
      },
      // Several may wait for long, all from the one address of which the host takes 20 requests a second.
      { within, every: 150 },
    );
  }
}

/**
 * An answer that is a problem with a code (RFC 9457).
 *
 * @param {Answer} answer
 * @param {number} status
 * @param {string | RegExp} code
 */
export function assertProblem(answer, status, code) {
  const seen = `${answer.status} ${JSON.stringify(answer.body)}`;
  assert.equal(answer.status, status, seen);
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, seen);
  if (typeof code === 'string') assert.equal(answer.body.code, code, seen);
  else assert.match(answer.body.code, code, seen);
  assert.equal(answer.body.status, status, seen);
  assert.ok(answer.body.title.length > 0, seen);
  assert.ok((answer.body.detail ?? answer.body.title).length > 0, seen);
}
