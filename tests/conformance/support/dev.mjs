// `clerk-mcp dev` on free ports in a folder of its own: the authorization server that is tested unless another is named.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PATIENCE_MS = 60_000;

/** Its origin as `issuer`, that of its application as `app`. */
export async function startDev(binary, args = []) {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-dev-'));
  const dev = spawn(binary, ['dev', '--port', '0', '--clerk-port', '0', '--app-port', '0', '--dir', folder, ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const stop = () => {
    dev.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  let printed = '';
  try {
    const addresses = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`clerk-mcp dev does not start:\n${printed}`)), PATIENCE_MS);
      dev.on('error', reject);
      dev.on('exit', (code) => reject(new Error(`clerk-mcp dev ended with ${code}:\n${printed}`)));
      dev.stderr.setEncoding('utf8').on('data', (text) => {
        printed += text;
        if (!printed.includes('Stop with')) return;
        clearTimeout(late);
        const [, issuer] = /MCP server\s+(http:\S+)\/mcp/.exec(printed);
        const [, app] = /Demo shop\s+(http:\S+)/.exec(printed);
        resolve({ issuer, app });
      });
    });
    return { ...addresses, stop };
  } catch (error) {
    stop();
    throw error;
  }
}
