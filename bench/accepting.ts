// Waits until a program listens on its port.
import { connects } from '../test/support/port.ts';

/** Throws after 20 s. */
export async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await connects(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Nothing listens on port ${port}.`);
}
