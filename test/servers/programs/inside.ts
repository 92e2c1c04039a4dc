// Runs inside a network namespace: brings its loopback up, starts the servers, and hands on what comes through Unix
// sockets.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

interface Inside {
  readonly ip: string;
  readonly commands: readonly { readonly port: number; readonly socket: string; readonly command: readonly string[] }[];
}

const { ip, commands } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Inside;
execFileSync(ip, ['link', 'set', 'lo', 'up']);

await Promise.all(
  commands.map(async ({ port, socket, command: [program = '', ...args] }) => {
    // The namespace ends with its last process: each server is killed when this one's end closes its standard input.
    const child = spawn('/bin/sh', ['-c', '"$@" & read -r _; kill -9 $!', 'sh', program, ...args], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.on('error', (error) => console.error(error.message));
    while (!(await connects(port))) await new Promise((resolve) => setTimeout(resolve, 20));
    const server = createServer({ allowHalfOpen: true }, (outside) => {
      const inner = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      pipeline(outside, inner, () => {});
      pipeline(inner, outside, () => {});
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  }),
);
console.log(`listening ${commands.length}`);

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
