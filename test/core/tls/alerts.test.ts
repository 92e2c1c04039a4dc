// One table of alert names, for OpenSSL's errors and for alerts that are read from the wire.
import { expect, it } from 'vitest';
import { alertIn, alertName } from '../../../core/tls/alerts.ts';
import { createCaptureReader } from '../../../core/tls/handshake-capture/capture-reader.ts';

it.each([
  [48, 'unknown_ca'],
  [121, 'ech_required'],
  [200, 'alert_200'],
])('alert %i is %s in an error and in a capture', (number, name) => {
  expect(alertName(number)).toBe(name);
  expect(alertIn(new Error(`tlsv1 alert: SSL alert number ${number}`))).toEqual({ number, name });
  const reader = createCaptureReader();
  reader.push(Buffer.of(21, 3, 3, 0, 2, 2, number));
  expect(reader.capture.alerts).toMatchObject([{ code: number, description: name }]);
});
