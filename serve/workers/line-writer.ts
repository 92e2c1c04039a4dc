// Batches the log lines of a serving process: lines of the same few milliseconds are written together.

/** POSIX writes up to PIPE_BUF bytes to a pipe atomically, whatever other processes write (4,096 bytes on Linux). */
const maxWriteBytes = 4096;

/** How long a line can wait for others. */
const maxDelayMs = 10;

export interface LineWriter {
  write(line: string): void;
  /** Writes the waiting lines now. */
  flush(): void;
}

/** A write for each line would cost over 10 µs, of the 150 µs of a call. */
export function createLineWriter(send: (text: string) => void): LineWriter {
  let waiting: string[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    if (waiting.length === 0) return;
    const text = waiting.join('');
    waiting = [];
    bytes = 0;
    clearTimeout(timer);
    timer = undefined;
    send(text);
  };
  return {
    write(line) {
      const length = Buffer.byteLength(line);
      if (bytes + length > maxWriteBytes) flush();
      timer ??= setTimeout(flush, maxDelayMs);
      waiting.push(line);
      bytes += length;
    },
    flush,
  };
}
