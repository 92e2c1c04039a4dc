// The filter in front of Node's HTTP parser.
import { describe, expect, it } from 'vitest';
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

describe('a response in one chunk and in chunks of one byte', () => {
  const lines = (...all: string[]) => Buffer.from(`${all.join('\r\n')}`, 'latin1');
  const ok = 'HTTP/1.1 200 OK';
  it.each([
    ['with a length', 'GET', lines(ok, 'Date: today', 'Content-Length: 2', '', 'ok'), true],
    ['with a length of zero', 'GET', lines(ok, 'content-length:0', '', ''), true],
    ['longer than its length', 'GET', lines(ok, 'Content-Length: 2', '', 'okHTTP'), false],
    ['in chunks', 'GET', lines(ok, 'Transfer-Encoding: chunked', '', '2', 'ok', '0', '', ''), true],
    ['in chunks, with more behind them', 'GET', lines(ok, 'Transfer-Encoding: chunked', '', '0', '', '', 'x'), false],
    ['with two lengths', 'GET', lines(ok, 'Content-Length: 2', 'Content-Length: 2', '', 'ok'), false],
    ['with length and chunks', 'GET', lines(ok, 'Content-Length: 2', 'Transfer-Encoding: chunked', '', 'ok'), false],
    ['without a length', 'GET', lines(ok, 'Date: today', '', 'ok'), true],
    ['with a continued line', 'GET', lines(ok, 'X-Long: a', ' b', 'Content-Length: 2', '', 'ok'), false],
    ['with a bare line feed', 'GET', lines(ok, 'X-Odd: a\nContent-Length: 2', '', 'ok'), false],
    ['that ends its head with line feeds', 'GET', lines(`${ok}\nContent-Length: 4\n\nok`, '', ''), false],
    ['with a length in another field', 'GET', lines(ok, 'X: content-length: 9', 'Content-Length: 2', '', 'ok'), true],
    ['with a length that is not a number', 'GET', lines(ok, 'Content-Length: +2', '', 'ok'), true],
    ['without content', 'GET', lines('HTTP/1.1 204 No Content', 'Content-Length: 2', '', 'ok'), false],
    ['to HEAD', 'HEAD', lines(ok, 'Content-Length: 2', '', ''), false],
    ['behind an interim one', 'GET', lines('HTTP/1.1 103 Early', '', ok, 'Content-Length: 2', '', 'ok'), true],
  ])('%s is the same, and so is its connection', (_title, method, response, isReusable) => {
    const atOnce = new ResponseFilter(method);
    const byByte = new ResponseFilter(method);
    const passed = Buffer.from(atOnce.pass(response));
    const pieces = Array.from(response, (byte) => Buffer.from(byByte.pass(Buffer.from([byte]))));
    expect(passed.toString('latin1')).toBe(Buffer.concat(pieces).toString('latin1'));
    expect([atOnce.isReusable, byByte.isReusable]).toEqual([isReusable, isReusable]);
  });
});
