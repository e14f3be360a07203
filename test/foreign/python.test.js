// Runs websockets_test.py, which finds the server by its environment.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { serve } from './harness.js';

// Debian's own, for which apt installs python3-websockets; another may stand first on PATH.
const python = '/usr/bin/python3';
const script = fileURLToPath(new URL('websockets_test.py', import.meta.url));

let server, compressing;
before(async () => {
  server = await serve('--dev');
  compressing = await serve('--dev', '--compress');
});
after(async () => {
  await server?.stop();
  await compressing?.stop();
});

test("Python's websockets", async () => {
  const env = {
    ...process.env, PYTHONDONTWRITEBYTECODE: '1', PUSHD_PUBLIC: server.public, PUSHD_ADMIN: server.admin,
    PUSHD_COMPRESS_PUBLIC: compressing.public, PUSHD_COMPRESS_ADMIN: compressing.admin,
  };
  const child = spawn(python, [script, '-v'], { env, stdio: ['ignore', 'inherit', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
  const [code] = await once(child, 'close');
  process.stderr.write(said);
  assert.equal(code, 0, `${python} ${script} failed:\n${said}`);
});
