// The lines of a process that serves: those of one turn of the event loop go out together.

/** A pipe takes so much at once and whole, whoever else writes to it (POSIX, PIPE_BUF; 4,096 bytes on Linux). */
const maxWriteBytes = 4096;

export interface LineWriter {
  write(line: string): void;
  /** Sends what waits, at once. */
  flush(): void;
}

/** A write for each line costs more than the line: 10 µs of a call of 200 µs. Lines are ASCII but for names, so their length is close to their bytes. */
export function createLineWriter(send: (text: string) => void): LineWriter {
  let waiting: string[] = [];
  let bytes = 0;
  const flush = () => {
    if (waiting.length === 0) return;
    const text = waiting.join('');
    waiting = [];
    bytes = 0;
    send(text);
  };
  return {
    write(line) {
      const length = Buffer.byteLength(line);
      if (bytes + length > maxWriteBytes) flush();
      if (waiting.length === 0) setImmediate(flush);
      waiting.push(line);
      bytes += length;
    },
    flush,
  };
}
