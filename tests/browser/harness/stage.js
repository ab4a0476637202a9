// The people of one scenario, and what is kept when it fails.

import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { newUser } from './browser.js';
import { Home } from './home.js';
import { temporaryFolder } from './places.js';
import { Client } from './rest.js';
import { until } from './wait.js';

/** @typedef {Parameters<typeof newUser>[1]} UserOptions */

export class Stage {
  /** @type {import('playwright-core').BrowserContext[]} */
  #users = [];
  /** @type {Client[]} */
  #clients = [];
  /** What the pages complained about. @type {string[]} */
  #complaints = [];
  /** What the pages asked for and have not got. @type {Set<import('playwright-core').Request>} */
  #awaited = new Set();

  /** @param {import('./host.js').Host} host @param {import('playwright-core').Browser} browser */
  constructor(host, browser) {
    this.host = host;
    this.browser = browser;
  }

  /** Somebody with a browser of their own, who has not been here. @param {UserOptions} [options] */
  async stranger(options) {
    const user = await newUser(this.browser, options);
    this.#users.push(user);
    user.on('weberror', error => this.#complaints.push(`error: ${error.error().stack}`));
    user.on('console', message => this.#complaints.push(`${message.type()}: ${message.text()}`));
    user.on('request', request => this.#awaited.add(request));
    user.on('requestfinished', request => this.#awaited.delete(request));
    user.on('requestfailed', request => {
      this.#awaited.delete(request);
      this.#complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
    });
    return user;
  }

  /** Somebody who came by the printed address and now sees the home page. @param {UserOptions} [options] */
  async visitor(options) {
    const user = await this.stranger(options);
    const page = await user.newPage();
    await page.goto(this.host.entry);
    await page.locator('article[data-app]').first().waitFor();
    return { user, page, home: new Home(page) };
  }

  /** Somebody who uses the REST interface. */
  async client() {
    const client = await Client.withSession(this.host);
    this.#clients.push(client);
    return client;
  }

  /** The REST interface with somebody's cookies. @param {import('playwright-core').BrowserContext} user */
  rest(user) {
    return Client.of(this.host, user);
  }

  /** Ends what one viewer watches, and closes the page. @param {import('./viewer.js').Viewer} viewer */
  async end(viewer) {
    const id = viewer.instanceId;
    const user = viewer.page.context();
    await (await this.rest(user)).delete(`/api/v1/instances/${id}`);
    await user.close();
    this.#users = this.#users.filter(one => one !== user);
    await until('the instance is gone', () => this.host.processesLeft([id]).length === 0);
  }

  /** Ends what the scenario launched and closes its pages. */
  async clear() {
    const all = [...this.#clients];
    for (const user of this.#users) all.push(await this.rest(user));
    const ended = new Set();
    const launching = all.filter(one => one.mayLaunch);
    for (const client of launching) {
      for (const { instance_id } of await client.instances()) {
        await client.delete(`/api/v1/instances/${instance_id}`);
        ended.add(instance_id);
      }
    }
    for (const user of this.#users) await user.close();
    await until('the instances are gone', () => this.host.processesLeft(ended).length === 0);
    // A moment later their places are free for the next scenario.
    for (const client of launching)
      await until('no place is taken', async () => (await client.places()) === 0);
  }

  /** Keeps what helps to understand a failure, and says where. @param {string} name */
  async keepEvidence(name) {
    const folder = temporaryFolder();
    let number = 0;
    for (const page of this.#users.flatMap(user => user.pages())) {
      number += 1;
      const base = join(folder, `page-${number}`);
      await page.screenshot({ path: `${base}.png`, timeout: 10_000 }).catch(() => {});
      const content = await page.content().catch(() => '');
      writeFileSync(`${base}.html`, `<!-- ${page.url()} -->\n${content}`);
    }
    const complaints = [...this.#complaints, ...[...this.#awaited].map(r => `awaited: ${r.url()}`)];
    writeFileSync(join(folder, 'console.txt'), complaints.join('\n'));
    if (existsSync(this.host.logFile)) copyFileSync(this.host.logFile, join(folder, 'host.log'));
    const last = this.host.log().split('\n').slice(-40).join('\n');
    // The shortest first: what prints this may cut it.
    console.error(
      `FAILED: ${name}\n  screenshots and log: ${folder}\n  state folder: ${this.host.state}\n` +
        `  the pages' last complaints:\n${complaints.slice(-20).join('\n')}\n${last}`,
    );
  }
}
