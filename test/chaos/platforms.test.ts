// The same fleet on the oldest Node that is supported, and over the platform's own WebSocket.
// Invariant: nothing of the roles depends on what only the newest Node, or only `ws`, has.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { within } from './eventually.ts';
import { forkRole } from './processes.ts';

const node22 = fileURLToPath(new URL('../../node_modules/node22/bin/node', import.meta.url));

for (const api of ['node', 'web'] as const) {
  test(`hub, node and client run on Node 22, over ${api === 'node' ? 'ws' : 'the platform’s own WebSocket'}`, async () => {
    expect(existsSync(node22), 'the npm alias node22 is installed by npm ci').toBe(true);
    // Type stripping is on by default from 22.18; 22 still warns that it is experimental.
    const role = forkRole(
      'fleet.ts',
      { api },
      { execPath: node22, execArgv: ['--disable-warning=ExperimentalWarning'] },
    );
    const done = await role.hears('it is done', (told) => told.event === 'done');
    expect(String(done['version'])).toMatch(/^v22\./);
    expect(await within('it ends by itself', role.exited, 5_000)).toMatchObject({ code: 0, output: '' });
  });
}

test('node and client of holdfast/web run over this platform’s own WebSocket against a real hub', async () => {
  const role = forkRole('fleet.ts', { api: 'web' });
  await role.hears('it is done', (told) => told.event === 'done');
  expect(await within('it ends by itself', role.exited, 5_000)).toMatchObject({ code: 0, output: '' });
});
