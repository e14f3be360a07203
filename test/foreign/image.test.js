// deploy/Dockerfile, its steps run without Docker, and the result as a container; then as deploy/compose.yaml has it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { validate } from 'dockerfile-utils';
import { run } from './container.js';
import { compose, leaving } from './deploy.js';
import { build, ignored } from './dockerfile.js';
import { binary, root, until } from './harness.js';

const file = join(root, 'deploy/Dockerfile');
const token = 'a-token-of-the-test';
const files = { '/run/secrets/admin-token': token };
const dockerStop = 10; // seconds, unless told otherwise: docs.docker.com, "docker container stop"
const skip = process.getuid() !== 0 && 'namespaces and chroot need root';

let dir, image, built, service;
const containers = [];
const start = (options) => { containers.push(run(image, options)); return containers.at(-1); };

before(() => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), 'pushd-image-'));
  const [os, arch] = execFileSync('go', ['env', 'GOOS', 'GOARCH'], { encoding: 'utf8' }).trim().split('\n');
  image = build(file, resolve(root), dir, { VERSION: '1.2.3-test', BUILDPLATFORM: `${os}/${arch}`, TARGETOS: os, TARGETARCH: arch });
  built = readdirSync(image.root, { recursive: true });
  service = compose(join(root, 'deploy/compose.yaml')).services.pushd;
});
after(async () => {
  for (const container of containers) { container.kill(); await container.ended; }
  if (dir) rmSync(dir, { recursive: true });
});

/** Process 1 of the image, told nothing else than the token, once a probe finds it ready. */
async function started(options) {
  const container = start({ files, ...options });
  await container.ready('http://127.0.0.1:8080/readyz');
  return container;
}

/** Subscribes and publishes as `docker exec` would. Returns the subscriber, which is still connected. */
async function delivers(container) {
  const subscriber = container.exec('/pushd', 'subscribe', 'news', '--format', 'json');
  let got = '';
  subscriber.stdout.setEncoding('utf8').on('data', (text) => { got += text; });
  await until('a delivery', async () => {
    const publisher = container.exec('/pushd', 'publish', 'news', 'hello');
    const [code] = await once(publisher, 'close');
    assert.equal(code, 0, `the exit code of publish; the server's log:\n${container.log}`);
    return got.includes('hello');
  });
  return subscriber;
}

test('the Dockerfile has nothing that a linter objects to', () => {
  assert.deepEqual(validate(readFileSync(file, 'utf8')), []);
});

test('the Go of the Dockerfile is that of go.mod', () => {
  const [, wanted] = readFileSync(join(root, 'go.mod'), 'utf8').match(/^go (\d+\.\d+)/m);
  const [, had] = readFileSync(file, 'utf8').match(/golang:(\S+)/);
  assert.equal(had, wanted);
});

test('secrets and what was built here stay out of the image', () => {
  const without = ignored(resolve(root));
  for (const path of ['deploy/admin-token', '.git/config', 'bin/pushd', 'test/foreign/node_modules/ws/index.js']) {
    assert.ok(without(path), `.dockerignore lets ${path} through`);
  }
});

test('the image is pushd and nothing else, and runs as nobody', { skip }, async () => {
  assert.deepEqual(built, ['pushd']);
  assert.equal(image.from, 'scratch');
  assert.match(image.user, /^[1-9]\d*:[1-9]\d*$/, 'numbers, for there is no /etc/passwd; and not root');
  assert.equal(image.labels['org.opencontainers.image.version'], '1.2.3-test');
  const version = start({ cmd: ['version'] });
  assert.equal(await version.ended, 'exit code 0', version.log);
  assert.match(version.log, /1\.2\.3-test/);
});

test('without a token it says what it needs and ends', { skip }, async () => {
  const container = start();
  assert.equal(await container.ended, 'exit code 2');
  assert.match(container.log, /\/run\/secrets\/admin-token/);
});

test('it is ready, asks publishers for the token, and leaves well within the time of docker stop', { skip }, async () => {
  const container = await started({ env: { PUSHD_ANONYMOUS_SUBSCRIBE: 'news' } });
  assert.deepEqual(image.exposed, ['8080', '8081']);
  assert.equal(await container.get('http://127.0.0.1:8081/readyz'), 200, 'a probe of the admin door needs no token');
  const publish = (...flags) => container.get('http://127.0.0.1:8081/v1/topics/news/messages', '-d', 'hello', ...flags);
  assert.equal(await publish(), 401, 'publishing without the token');
  assert.equal(await publish('-H', `Authorization: Bearer ${token}`), 200, 'publishing with it');
  const owner = readFileSync(`/proc/${container.pid}/status`, 'utf8');
  assert.match(owner, /^Uid:\t65532\t65532/m);
  assert.match(owner, /^NoNewPrivs:\t1/m);

  const subscriber = await delivers(container);
  assert.ok(leaving(image.env) < dockerStop, `leaving may take ${leaving(image.env)} s`);
  const ended = container.stop(dockerStop);
  await until('/readyz to be 503', async () => await container.get('http://127.0.0.1:8081/readyz') === 503);
  assert.equal(await ended, 'exit code 0', container.log);
  subscriber.kill();
});

test('as in compose.yaml it delivers, with its sysctls, and leaves within its grace period', { skip }, async () => {
  const host = readFileSync('/proc/sys/net/core/somaxconn', 'utf8');
  const container = await started({ cmd: service.command, env: service.environment, sysctls: service.sysctls });
  const listening = await container.inNetwork('ss', '-Hltn', 'sport = :8080');
  assert.equal(listening.trim().split(/\s+/)[2], String(service.sysctls['net.core.somaxconn']), `the backlog: ${listening}`);
  assert.equal(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'), host, 'the host has its own');
  (await delivers(container)).kill();
  assert.equal(await container.stop(parseFloat(service.stop_grace_period)), 'exit code 0', container.log);
});

test('what compose.yaml says fits the image', { skip }, () => {
  assert.equal(service.user, image.user);
  assert.deepEqual(service.ports.map((port) => String(port.target)), image.exposed);
  assert.equal(service.ports[1].host_ip, '127.0.0.1', 'the admin door is for this host');
  assert.equal(service.secrets[0].target, image.env.PUSHD_ADMIN_TOKEN_FILE);
  assert.ok(service.read_only);
  assert.deepEqual(service.cap_drop, ['ALL']);
  assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
  assert.equal(resolve(service.build.context), resolve(root));
  const most = leaving({ ...image.env, ...service.environment });
  assert.ok(most < parseFloat(service.stop_grace_period), `leaving may take ${most} s of ${service.stop_grace_period}`);
});

test('compose.yaml asks for no more files than a host allows by default', { skip }, () => {
  const { soft, hard } = service.ulimits.nofile;
  assert.equal(soft, hard);
  assert.equal(hard, 1024 * 1024, 'fs.nr_open of the kernel (proc_sys_fs(5)): above it a container does not start');
});

test('compose.yaml gives what pushd tune asks for', { skip }, () => {
  const { nofile } = service.ulimits;
  let said;
  try { // exit code 1: the host of the tests is not fit for so many, and need not be
    said = execFileSync(binary, ['tune', '--connections', '1000000', '--format', 'docker'], { encoding: 'utf8' });
  } catch (err) {
    said = err.stdout;
  }
  assert.ok(nofile.hard >= Number(said.match(/--ulimit nofile=(\d+):/)[1]), said);
  for (const [, name, value] of said.matchAll(/^--sysctl (net\.core\.somaxconn|net\.ipv4\.tcp_max_syn_backlog)=(\d+)/gm)) {
    assert.ok(Number(service.sysctls[name]) >= Number(value), `${name}: ${service.sysctls[name]} of compose.yaml is less than ${value}`);
  }
});
