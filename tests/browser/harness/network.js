// Networks of a test's own: a viewer in a namespace of its own, a router in another, the host where the test is.
//
//   host ──────────── router ═══ a ═══ viewer        two ways, of which the viewer has the one that it joined
//   198.18.N.2              ╚═══ b ═══╝              198.19.N.2 by a, 198.19.N.6 by b; and the same in 2001:db8:N::
//   (203.0.113.7 to viewers, where the router does 1:1 NAT)
//
// All addresses are those set aside for tests and documentation (RFC 2544, RFC 3849, RFC 5737).

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { temporaryFolder } from './places.js';

/** What a name begins with, so that those left behind by a test that was killed are found. */
export const PREFIX = 'hst';
/** The host's address for viewers beyond the NAT. */
export const PUBLIC = '203.0.113.7';

/** @param {string[]} args @param {string} [input] */
export function ip(args, input) {
  return execFileSync('ip', args, { input, stdio: ['pipe', 'pipe', 'pipe'], encoding: 'utf8' });
}

/** Why this machine cannot have networks of its own, in words; false where it can. */
export function noNetworks() {
  if (process.getuid?.() !== 0) return 'network namespaces are for root';
  if (!existsSync('/proc/net/if_inet6')) return 'there is no IPv6 here';
  const name = `${PREFIX}-${process.pid}-try`;
  try {
    ip(['netns', 'add', name]);
    execFileSync('ip', ['netns', 'exec', name, 'nft', 'list', 'ruleset'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no network namespaces, or no nft, here: ${/** @type {Error} */ (error).message.split('\n')[0]}`;
  } finally {
    if (existsSync(`/run/netns/${name}`)) ip(['netns', 'delete', name]);
  }
}

/** Removes the namespaces of tests that are gone. */
export function sweep() {
  for (const line of ip(['netns', 'list']).split('\n')) {
    const [, name, pid] = /^(hst-(\d+)-\w+)/.exec(line) ?? [];
    if (name && !existsSync(`/proc/${pid}`)) ip(['netns', 'delete', name]);
  }
}

export class Network {
  #number = process.pid % 250;
  #folder = temporaryFolder('network');
  viewer = `${PREFIX}-${process.pid}-viewer`;
  router = `${PREFIX}-${process.pid}-router`;
  /** The interface here. */
  link = `${PREFIX}${process.pid}`;
  /** The addresses of the host, and of what else listens here. */
  host = { four: `198.18.${this.#number}.2`, six: `2001:db8:${this.#number}::2` };

  /** Makes the namespaces and what links them; the viewer has no way yet. */
  static make() {
    sweep();
    const network = new Network();
    process.once('exit', () => network.destroy());
    try {
      network.#make();
    } catch (error) {
      network.destroy();
      throw error;
    }
    return network;
  }

  #make() {
    const n = this.#number;
    const { viewer, router, link } = this;
    ip(
      ['-batch', '-'],
      `netns add ${viewer}
       netns add ${router}
       link add ${link} type veth peer name host netns ${router}
       link set ${link} up
       addr add ${this.host.four}/30 dev ${link}
       addr add ${this.host.six}/64 dev ${link} nodad
       route add 198.19.${n}.0/24 via 198.18.${n}.1
       route add 2001:db8:${n}::/48 via 2001:db8:${n}::1\n`,
    );
    ip(
      ['-n', router, '-batch', '-'],
      `link set lo up
       link set host up
       addr add 198.18.${n}.1/30 dev host
       addr add 2001:db8:${n}::1/64 dev host nodad
       link add name a type veth peer name a netns ${viewer}
       link add name b type veth peer name b netns ${viewer}
       link set dev a up
       link set dev b up
       addr add 198.19.${n}.1/30 dev a
       addr add 198.19.${n}.5/30 dev b
       addr add 2001:db8:${n}:a::1/64 dev a nodad
       addr add 2001:db8:${n}:b::1/64 dev b nodad\n`,
    );
    // No address that comes a moment later by itself: the browser would take it for another change of networks.
    ip(
      ['-n', viewer, '-batch', '-'],
      `link set lo up
       link set dev a addrgenmode none
       link set dev b addrgenmode none\n`,
    );
    const forward = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
    this.#within(router, 'sysctl', ['--quiet', '--write', ...forward]);
  }

  /** The viewer's address by a way. @param {'a' | 'b'} way */
  at(way) {
    return `198.19.${this.#number}.${way === 'a' ? 2 : 6}`;
  }

  /**
   * The viewer gets addresses by one of the ways; with both, it takes the first. `only`: its route leads to the host, and
   * nowhere else, as in the closed networks of museums and laboratories.
   *
   * @param {'a' | 'b'} way @param {{ four?: boolean, six?: boolean, only?: boolean }} [families]
   */
  join(way, { four = true, six = false, only = false } = {}) {
    const n = this.#number;
    const metric = `metric ${way === 'a' ? 10 : 20}`;
    const lines = [`link set dev ${way} up`];
    if (four) {
      lines.push(
        `addr add ${this.at(way)}/30 dev ${way}`,
        `route add ${only ? `198.18.${n}.0/30` : 'default'} via 198.19.${n}.${way === 'a' ? 1 : 5} ${metric}`,
      );
    }
    if (six) {
      const prefix = `2001:db8:${n}:${way}:`;
      lines.push(
        `addr add ${prefix}:2/64 dev ${way} nodad`,
        `route add ${only ? `2001:db8:${n}::/64` : 'default'} via ${prefix}:1 ${metric}`,
      );
    }
    ip(['-n', this.viewer, '-batch', '-'], `${lines.join('\n')}\n`);
  }

  /** The viewer loses a way, and the addresses that it had by it. @param {'a' | 'b'} way */
  leave(way) {
    ip(['-n', this.viewer, '-batch', '-'], `addr flush dev ${way}\nlink set dev ${way} down\n`);
  }

  /** What a namespace does with packets, instead of what it did. @param {'viewer' | 'router'} where @param {string} rules of nft */
  filter(where, rules) {
    this.#within(this[where], 'nft', ['-f', '-'], `flush ruleset\n${rules}\n`);
  }

  /** Lets everything through again. */
  open() {
    for (const where of /** @type {const} */ (['viewer', 'router'])) this.filter(where, '');
  }

  /** A firewall between viewer and host lets no UDP through. */
  dropUdp() {
    this.filter('router', chain('forward', 'filter', ['meta l4proto udp drop']));
  }

  /**
   * Viewers reach the host by `PUBLIC` alone. They have a firewall that lets nothing in that was not asked for, as
   * routers at home do: without it, what the host sends first would show them the way.
   *
   * @param {number} port of UDP that it lets in nevertheless
   */
  hideHost(port) {
    const { four } = this.host;
    this.filter(
      'router',
      chain('prerouting', 'nat', [`ip daddr ${PUBLIC} dnat ip to ${four}`]) +
        chain('postrouting', 'nat', [`oifname { a, b } ip saddr ${four} snat ip to ${PUBLIC}`]) +
        chain('forward', 'filter', [
          `iifname { a, b } ip daddr ${four} ct direction original ct status & dnat == 0 drop`,
        ]),
    );
    const asked = [
      'ct state established,related accept',
      'iif lo accept',
      `udp dport ${port} accept`,
      'drop',
    ];
    this.filter('viewer', chain('input', 'filter', asked));
  }

  /** What to put before a command that is to run in the viewer's network. */
  get there() {
    return ['ip', 'netns', 'exec', this.viewer];
  }

  /** A program that runs another there. @param {string} program */
  within(program) {
    return wrapped(this.#folder, this.there, program);
  }

  /** @param {string} namespace @param {string} program @param {string[]} args @param {string} [input] */
  #within(namespace, program, args, input) {
    execFileSync('ip', ['netns', 'exec', namespace, program, ...args], {
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Removes everything; what is gone already does not matter. */
  destroy() {
    for (const name of [this.viewer, this.router]) {
      if (existsSync(`/run/netns/${name}`)) ip(['netns', 'delete', name]);
    }
    // Its other end went with the router, but the kernel takes its time.
    if (existsSync(`/sys/class/net/${this.link}`)) {
      try {
        ip(['link', 'delete', this.link]);
      } catch {
        // The kernel was faster.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A program that runs another by a command.
 *
 * @param {string} folder where to put it @param {string[]} command @param {string} program
 */
export function wrapped(folder, command, program) {
  const script = join(folder, 'within');
  writeFileSync(script, `#!/bin/sh\nexec ${command.join(' ')} ${program} "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

/** @param {'input' | 'forward' | 'prerouting' | 'postrouting'} hook @param {'filter' | 'nat'} type @param {string[]} rules */
function chain(hook, type, rules) {
  const priority = type === 'filter' ? 'filter' : hook === 'prerouting' ? 'dstnat' : 'srcnat';
  return `table inet ${hook} {
  chain ${hook} {
    type ${type} hook ${hook} priority ${priority}; policy accept;
    ${rules.join('\n    ')}
  }
}
`;
}
