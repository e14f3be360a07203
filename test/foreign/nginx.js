// Starts Debian's nginx with its own prefix, on a free port, as the user who runs the tests.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './harness.js';

/** Runs nginx with these lines in its server block; `modules` are loaded first. Returns {address, stop}. */
export function nginx(server, modules = []) {
  return nginxWith((port) => `http {
  access_log off;
  server { listen 127.0.0.1:${port};
${server}
  }
}`, modules);
}

/** Runs nginx with a configuration, given the port to listen on and a folder. */
export async function nginxWith(configuration, modules = []) {
  const dir = mkdtempSync(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  const conf = join(dir, 'nginx.conf');
  const temp = `http { client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;`;
  writeFileSync(conf, `${modules.map((m) => `load_module ${m};\n`).join('')}
daemon off; master_process off; pid ${dir}/pid; error_log stderr warn;
worker_rlimit_nofile 4096;
events { worker_connections 4000; }
${configuration(port, dir).replace('http {', temp)}`);
  return run('nginx', ['-p', dir, '-c', conf], port, dir);
}

/** Runs a proxy, and returns {address, dir, said, stop} once it listens on the port. */
export async function run(name, args, port, dir) {
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { said += text; });
  const ended = once(child, 'close');
  await until(`${name} to listen`, () => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  })).catch((err) => { child.kill('SIGKILL'); throw new Error(`${err.message}\n${said}`); });
  return {
    address: `127.0.0.1:${port}`,
    dir,
    get said() { return said; },
    async stop() {
      child.kill('SIGKILL');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
