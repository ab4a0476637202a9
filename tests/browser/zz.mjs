import { launchBrowser, newUser } from './harness/browser.js';
import { Host } from './harness/host.js';
const host = await Host.start();
const b = await launchBrowser();
try {
const u = await newUser(b); const p = await u.newPage();
p.on('console', m => console.log('console', m.type(), m.text()));
p.on('pageerror', e => console.log('pageerror', e.message));
p.on('response', r => console.log(r.status(), r.url().replace(/token=.*/,''), r.headers()['content-type']));
p.on('requestfailed', r => console.log('failed', r.url(), r.failure()));
await p.goto(host.entry);
await p.locator('article[data-app]').first().waitFor({timeout: 5000}).catch(e => console.log(e.message));
await p.screenshot({path:'/tmp/tests-helper/home.png'});
} finally { await b.close(); await host.stop(); host.removeFolder(); }
