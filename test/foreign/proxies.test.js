// Real proxies, configured as docs/PROXIES.md says: the server sees their clients. These have addresses of the loopback, so the
// proxy, at 127.0.0.1, is one of them too where it names nobody.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { curl, fresh, root, serve, until } from './harness.js';
import { freePort, nginxWith, run } from './nginx.js';

const page = readFileSync(`${root}docs/PROXIES.md`, 'utf8');

/** The configuration under a heading, for a server and a port instead of those that it names. */
function configuration(heading, server, port) {
  const text = page.split(`\n## ${heading}\n`)[1]?.match(/^```(?:nginx|haproxy)\n(.*?)^```/ms)?.[1];
  assert.ok(text, `docs/PROXIES.md has no configuration under "${heading}"`);
  for (const part of ['127.0.0.1:8080', /(listen |bind :)80\b/]) assert.match(text, new RegExp(part), heading);
  return text.replaceAll('127.0.0.1:8080', server.public).replace(/listen 80\b/, `listen 127.0.0.1:${port}`).replace(/bind :80\b/, `bind 127.0.0.1:${port}`);
}

async function haproxy(text) {
  const dir = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const port = await freePort();
  const often = text(port).replace('inter 2s', 'inter 20ms');
  writeFileSync(join(dir, 'haproxy.cfg'), `global\n  maxconn 1000\n\n${often}`);
  return run('haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')], port, dir);
}

const modules = ['/usr/lib/nginx/modules/ngx_stream_module.so'];
const proxies = {
  'nginx': (server) => nginxWith((port, dir) => configuration('nginx', server, port).replaceAll('/var/log/nginx', dir)),
  'nginx, of TCP alone': (server) => nginxWith((port) => configuration('nginx, of TCP alone', server, port), modules),
  'HAProxy': (server) => haproxy((port) => configuration('HAProxy', server, port)),
  'HAProxy, of TCP alone': (server) => haproxy((port) => configuration('HAProxy, of TCP alone', server, port)),
  'HAProxy, of TCP alone, version 1': (server) => haproxy((port) => configuration('HAProxy, of TCP alone', server, port).replace('send-proxy-v2', 'send-proxy')),
};

const addressesOf = async (server) => (await server.look('/v1/connections?limit=100')).connections.map((c) => c.address).sort();

for (const [name, start] of Object.entries(proxies)) {
  const tcp = name.includes('TCP');
  test(`${name}: connections are the clients', and so are the limits`, async (t) => {
    const server = await serve('--dev', '--trust-proxy', '127.0.0.1', '--max-connections-per-address', '2', ...(tcp ? ['--proxy-protocol'] : []));
    t.after(() => server.stop());
    const proxy = await start(server);
    t.after(() => proxy.stop());
    const topic = fresh('proxied');
    const connect = (localAddress, headers = {}) =>
      server.connect(`/ws?topic=${topic}`, [], { address: proxy.address, localAddress, headers });
    await until(`${name} to find the server ready; it says: ${proxy.said}`, async () =>
      (await curl(['--interface', '127.0.0.9', `http://${proxy.address}/readyz`])).status === 200);

    const clients = [];
    for (const from of ['127.0.0.2', '127.0.0.2', '127.0.0.3']) clients.push(await connect(from));
    // Whoever writes the headers of a proxy is not believed: the proxy adds its own.
    clients.push(await connect('127.0.0.4', { 'X-Forwarded-For': '203.0.113.9', Forwarded: 'for=203.0.113.9' }));
    assert.deepEqual(await addressesOf(server), ['127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4']);
    const { subscribers } = await server.publish(topic, 'to all of them');
    assert.equal(subscribers, clients.length);
    for (const client of clients) assert.equal(await client.next(), 'to all of them');

    await assert.rejects(connect('127.0.0.2'), /429.*rate_limited/s);
    await assert.rejects(connect('127.0.0.2', { 'X-Forwarded-For': '203.0.113.9' }), /429.*rate_limited/s);
    const browser = await connect('127.0.0.2', { Origin: `http://${proxy.address}` });
    const told = await browser.closes();
    assert.equal(told.code, 4429);
    assert.match(told.reason, /^retry_ms=\d+$/);
    clients.push(await connect('127.0.0.3'));

    const { addresses } = await server.look('/v1/addresses'); // among them those of HAProxy's checks, and of curl's
    assert.deepEqual(addresses.filter((a) => /^127\.0\.0\.[234]$/.test(a.address)).map((a) => [a.address, a.connections, a.refused]),
      [['127.0.0.2', 2, 3], ['127.0.0.3', 2, 0], ['127.0.0.4', 1, 0]]);
    for (const client of clients) await client.close();
    await until('nobody to be counted any more', async () => (await server.look('/v1/addresses')).addresses.every((a) => a.connections === 0));
    clients.push(await connect('127.0.0.2'));
    await clients.pop().close();
    if (name.startsWith('HAProxy')) { // 20 checks of the server's health, of which 3 that fail would be said
      const accepted = async () => Number((await curl([`http://${server.admin}/metrics`])).body.match(/^pushd_connections_accepted_total (\d+)/m)[1]);
      const before = await accepted();
      await until('the server to be checked', async () => (await accepted()) >= before + 20);
      assert.doesNotMatch(proxy.said, /DOWN/);
    }
  });
}

test('a proxy that is not trusted is not believed', async (t) => {
  const server = await serve('--dev', '--trust-proxy', '10.0.0.0/8');
  t.after(() => server.stop());
  const proxy = await proxies.nginx(server);
  t.after(() => proxy.stop());
  const client = await server.connect(`/ws?topic=${fresh('untrusted')}`, [], { address: proxy.address, localAddress: '127.0.0.2' });
  assert.match((await addressesOf(server)).join(), /^127\.0\.0\.1:\d+$/);
  await client.close();
});

test('the logs of nginx and HAProxy do not have the query', async (t) => {
  const server = await serve('--dev', '--trust-proxy', '127.0.0.1');
  t.after(() => server.stop());
  for (const name of ['nginx', 'HAProxy']) {
    const proxy = await proxies[name](server);
    t.after(() => proxy.stop());
    await until(`${name} to find the server ready`, async () => (await curl([`http://${proxy.address}/readyz?token=secret-1`])).status === 200);
    await (await server.connect(`/ws?topic=${fresh('logged')}`, [], { address: proxy.address })).close();
    const log = () => proxy.said + (name === 'nginx' ? readFileSync(join(proxy.dir, 'pushd.log'), 'utf8') : '');
    await until(`${name} to log the requests`, () => /GET \/readyz\b.*GET \/ws\b/s.test(log()));
    assert.doesNotMatch(log(), /secret-1|topic=/);
  }
});
