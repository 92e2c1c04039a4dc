// Reads one response from the given port and prints its size and the growth of this process's memory, in bytes.
import { request } from 'node:http';
import { collectBody } from '../../../core/http/body.ts';

const [, , port = '', limitBytes = ''] = process.argv;

request({ host: '127.0.0.1', port, agent: false }, async (response) => {
  const before = process.resourceUsage().maxRSS;
  const { bytes } = await collectBody(response, { limitBytes: Number(limitBytes), decode: true });
  const grownBytes = (process.resourceUsage().maxRSS - before) * 1024;
  console.log(JSON.stringify({ size: bytes.length, grownBytes }));
}).end();
