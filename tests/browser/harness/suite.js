// One host and one browser for the scenarios of a file, and what is kept when one of them fails.

import { after, before, test } from 'node:test';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { launchBrowser, newUser } from './browser.js';
import { Home } from './home.js';
import { Host, temporaryFolder } from './host.js';
import { Client } from './rest.js';
import { until } from './wait.js';

/** A scenario that takes longer hangs. */
const LIMIT = 150_000;

/** @typedef {Parameters<typeof Host.start>[0]} HostOptions */

/**
 * Declares what the scenarios of this file share.
 *
 * @param {HostOptions} hostOptions
 */
export function suite(hostOptions) {
  /** @type {Host} */
  let host;
  /** @type {import('playwright-core').Browser} */
  let browser;
  let failed = false;

  /** Context of one scenario. */
  class Stage {
    /** @type {import('playwright-core').BrowserContext[]} */
    users = [];
    /** @type {Client[]} */
    clients = [];

    get host() {
      return host;
    }

    /** Somebody with a browser of their own, who has not been here. @param {Parameters<typeof newUser>[1]} [options] */
    async stranger(options) {
      const user = await newUser(browser, options);
      this.users.push(user);
      return user;
    }

    /** Somebody who came by the printed URL and now sees the home page. @param {Parameters<typeof newUser>[1]} [options] */
    async visitor(options) {
      const user = await this.stranger(options);
      const page = await user.newPage();
      await page.goto(host.entry);
      await page.locator('[data-app]').first().waitFor();
      return { user, page, home: new Home(page) };
    }

    /** Somebody who uses the REST interface. */
    async client() {
      const client = await Client.withSession(host);
      this.clients.push(client);
      return client;
    }

    /** The REST interface with somebody's cookies. @param {import('playwright-core').BrowserContext} user */
    rest(user) {
      return Client.of(host, user);
    }

    /** Ends what the scenario launched and closes its pages. */
    async clear() {
      const all = [...this.clients];
      for (const user of this.users) all.push(await Client.of(host, user));
      const ended = new Set();
      for (const client of all.filter((one) => one.cookies.size > 0)) {
        for (const { instance_id } of await client.instances()) {
          await client.delete(`/api/v1/instances/${instance_id}`);
          ended.add(instance_id);
        }
      }
      for (const user of this.users) await user.close();
      await until('the instances are gone', () => host.processesLeft(ended).length === 0);
    }

    /** Keeps what helps to understand a failure, and says where. @param {string} name */
    async keepEvidence(name) {
      const folder = temporaryFolder();
      mkdirSync(folder, { recursive: true });
      let number = 0;
      for (const page of this.users.flatMap((user) => user.pages())) {
        number += 1;
        const shot = join(folder, `page-${number}.png`);
        await page.screenshot({ path: shot, timeout: 10_000 }).catch(() => {});
        writeFileSync(join(folder, `page-${number}.html`), `<!-- ${page.url()} -->\n${await page.content().catch(() => '')}`);
      }
      if (existsSync(host.logFile)) copyFileSync(host.logFile, join(folder, 'host.log'));
      console.error(`FAILED: ${name}\n  screenshots and the host's log: ${folder}\n  state folder: ${host.state}`);
      console.error(host.log().split('\n').slice(-40).join('\n'));
    }
  }

  before(async () => {
    host = await Host.start(hostOptions);
    browser = await launchBrowser();
  }, { timeout: 120_000 });

  after(async () => {
    await browser?.close();
    if (!host) return;
    try {
      if (failed) return;
      await host.stop();
      host.removeFolder();
    } finally {
      await host.destroy();
    }
  }, { timeout: 60_000 });

  /**
   * One test: a sentence about behaviour.
   *
   * @param {string} sentence
   * @param {(stage: Stage) => Promise<void>} act
   */
  function scenario(sentence, act) {
    test(sentence, { timeout: LIMIT }, async () => {
      const stage = new Stage();
      try {
        await act(stage);
        await stage.clear();
      } catch (error) {
        failed = true;
        await stage.keepEvidence(sentence);
        await stage.clear().catch(() => {});
        throw error;
      }
    });
  }

  return { scenario };
}
