/** Scripts of a client: order, arguments and environment of --up, --route-up, --route-pre-down and --down. */
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

export const hooks: readonly Scenario[] = [
  {
    name: 'client scripts: up, route-up, route-pre-down, down',
    pairings: ['ours-client'],
    run: clientScripts,
  },
  { name: 'a failing up script ends the client with code 1', pairings: ['ours-client'], run: failingUp },
  {
    name: 'server scripts: client-connect, learn-address, client-disconnect',
    pairings: ['ours-server'],
    run: serverScripts,
  },
  {
    name: 'scripts share the descriptors that the program was started with, and none of its own',
    pairings: ['ours-client'],
    run: descriptors,
  },
  {
    name: 'restarts: scripts hear of the lost connection at once and of the new one',
    pairings: ['ours-client'],
    run: restartScripts,
  },
  {
    name: 'client-disconnect without client-connect, also at the end of the server',
    pairings: ['ours-server'],
    run: disconnectOnly,
  },
];

async function descriptors(bed: Bed): Promise<void> {
  const body = ['#!/bin/sh', `ls /proc/self/fd > ${bed.dir}/fds`, 'echo shared >&3', 'echo late >&7', ''];
  const hook = bed.write('fds.sh', body.join('\n'), 0o700);
  await bed.startServer();
  await bed.startClient(['script-security 2', `up ${hook}`], {
    before: 'exec 3>three 7>seven; ls /proc/self/fd > before',
  });
  check(bed.read('three') === 'shared\n', `descriptor 3: ${bed.read('three')}`);
  check(bed.read('seven') === 'late\n', `descriptor 7: ${bed.read('seven')}`);
  // Where the lists are read, a list has the lowest descriptor that is free.
  check(
    bed.read('fds') === bed.read('before'),
    `descriptors of a script: ${bed.read('fds')} not ${bed.read('before')}`,
  );
}

async function restartScripts(bed: Bed): Promise<void> {
  const hook = recordingScript(bed);
  const names = ['up', 'route-up', 'route-pre-down', 'down'];
  await bed.startServer();
  const client = await bed.startClient([
    'script-security 2',
    'persist-tun',
    'persist-key',
    'up-restart',
    ...names.map((name) => `${name} ${hook}`),
  ]);
  client.mark();
  client.signal('SIGUSR1');
  await bed.waitUp(client);
  await bed.stop(client);
  const calls = bed.read('calls').split('== ').slice(1);
  const order = calls.map((call) =>
    [value(call, 'script_type'), value(call, 'script_context'), value(call, 'signal') ?? '-'].join(' '),
  );
  const wanted = [
    'up init -',
    'route-up init -',
    'down restart sigusr1',
    'up restart -',
    'route-pre-down init sigterm',
    'down init sigterm',
  ];
  check(same(order, wanted), `order of calls: ${order.join(', ')}`);
  checkEnvironment(calls[3] ?? '', {
    ifconfig_local: '10.8.0.2',
    untrusted_ip: '10.99.0.1',
    remote_port_1: '1194',
  });
}

async function disconnectOnly(bed: Bed): Promise<void> {
  const hook = recordingScript(bed);
  const server = await bed.startServer(['script-security 2', `client-disconnect ${hook}`, `down ${hook}`]);
  const client = await bed.startClient();
  client.mark();
  // Both 2.x and ovpncli connect anew at this one; SIGUSR1 has ovpncli print its statistics.
  client.signal('SIGHUP');
  await bed.waitUp(client);
  await bed.stop(server);
  const calls = bed.read('calls').split('== ').slice(1);
  const types = calls.map((call) => value(call, 'script_type'));
  check(
    same(types, ['client-disconnect', 'client-disconnect', 'down']),
    `order of calls: ${types.join(' ')}`,
  );
  for (const call of calls.slice(0, 2)) checkEnvironment(call, { common_name: 'client1' });
  checkEnvironment(calls[2] ?? '', { signal: 'sigterm', remote_port_1: '1194' });
}

async function clientScripts(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.client().ns);
  const hook = recordingScript(bed);
  const names = ['up', 'route-up', 'route-pre-down', 'down'];
  await bed.startServer(['push "route 192.168.99.0 255.255.255.0"', 'push "dhcp-option DNS 10.8.0.1"']);
  const client = await bed.startClient(['script-security 2', ...names.map((name) => `${name} ${hook}`)]);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  const calls = bed.read('calls').split('== ').slice(1);
  check(
    same(
      calls.map((call) => value(call, 'script_type')),
      names,
    ),
    `order of calls: ${calls.join('')}`,
  );
  const [up, routeUp] = calls;
  const args = up?.split('\n')[0];
  check(args === 'tun0 1500 0 10.8.0.2 255.255.255.0 init', `arguments of up: ${args}`);
  const wanted = {
    dev: 'tun0',
    tun_mtu: '1500',
    ifconfig_local: '10.8.0.2',
    ifconfig_netmask: '255.255.255.0',
    script_context: 'init',
    common_name: 'server',
    trusted_ip: '10.99.0.1',
    foreign_option_1: 'dhcp-option DNS 10.8.0.1',
    route_network_1: '192.168.99.0',
    route_netmask_1: '255.255.255.0',
    route_vpn_gateway: '10.8.0.1',
  };
  checkEnvironment(up ?? '', wanted);
  checkEnvironment(routeUp ?? '', { ...wanted, script_type: 'route-up' });
  checkEnvironment(calls[3] ?? '', { signal: 'sigterm' });
  bed.checkClean(bed.client().ns, before);
}

async function failingUp(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.client().ns);
  await bed.startServer();
  const client = bed.launchClient(['script-security 2', 'up /bin/false']);
  const status = await client.waitForExit();
  check(status.code === 1, `exit code ${status.code}`);
  check(
    client.has(
      /WARNING: Failed running command \(--up\/--down\): external program exited with error status: 1/,
    ),
    client.tail(),
  );
  bed.checkClean(bed.client().ns, before);
}

async function serverScripts(bed: Bed): Promise<void> {
  const hook = recordingScript(bed);
  const names = ['client-connect', 'learn-address', 'client-disconnect'];
  const server = await bed.startServer(['script-security 2', ...names.map((name) => `${name} ${hook}`)]);
  const client = await bed.startClient(['explicit-exit-notify 1']);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  await server.waitFor(/(delayed|remote)-exit/);
  await bed.stop(server);
  const calls = bed.read('calls').split('== ').slice(1);
  const types = calls.map((call) => value(call, 'script_type'));
  check(types[0] === 'client-connect' && types[1] === 'learn-address', `order of calls: ${types.join(' ')}`);
  check(types.includes('client-disconnect'), `order of calls: ${types.join(' ')}`);
  checkEnvironment(calls[0] ?? '', {
    common_name: 'client1',
    ifconfig_pool_remote_ip: '10.8.0.2',
    trusted_ip: '10.99.0.2',
  });
  const learned = calls
    .filter((call) => value(call, 'script_type') === 'learn-address')
    .map((call) => call.split('\n')[0]);
  check(learned[0] === 'add 10.8.0.2 client1', `learn-address: ${learned.join('; ')}`);
  const gone = calls[types.indexOf('client-disconnect')] ?? '';
  check(Number(value(gone, 'bytes_received')) > 100, `bytes_received: ${value(gone, 'bytes_received')}`);
}

/** A script that appends its arguments and environment to the file `calls`. */
function recordingScript(bed: Bed): string {
  const body = ['#!/bin/sh', `{ echo "== $*"; /usr/bin/env; } >> ${bed.dir}/calls`, ''];
  return bed.write('hook.sh', body.join('\n'), 0o700);
}

function checkEnvironment(call: string, wanted: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(wanted)) {
    check(value(call, name) === text, `${name} is '${value(call, name)}', not '${text}', in:\n${call}`);
  }
}

function value(call: string, name: string): string | undefined {
  return call
    .split('\n')
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
