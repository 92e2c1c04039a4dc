// The filter in front of Node's HTTP parser.
import { expect, it } from 'vitest';
import { ResponseFilter } from '../../../core/http/response-filter.ts';

it('passes a header that is folded over more than 64 KB to the parser, which rejects it', () => {
  const filter = new ResponseFilter('GET');
  expect(filter.pass(Buffer.from('HTTP/1.1 200 OK\r\nX: a\r\n')).toString()).toBe('HTTP/1.1 200 OK\r\n');
  const line = ` ${'a'.repeat(998)}\r\n`;
  const lengths = Array.from({ length: 80 }, () => filter.pass(Buffer.from(line)).length);
  // The lines are held until they exceed the limit, then passed on; nothing is held after that.
  expect(lengths.findIndex((length) => length > 0)).toBe(65);
  expect(lengths.slice(66)).toEqual(Array(14).fill(line.length));
  expect(filter.isReusable).toBe(false);
});

it('joins the lines of a folded header with one space each', () => {
  const filter = new ResponseFilter('GET');
  const head = filter.pass(Buffer.from('HTTP/1.1 200 OK\r\nX: a \r\n  b\r\n\tc\r\n\r\n')).toString();
  expect(head).toBe('HTTP/1.1 200 OK\r\nX: a b c\r\n\r\n');
});
