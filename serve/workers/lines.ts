// The lines of a process that serves: those of a few milliseconds go out together.

/** A pipe takes so much at once and whole, whoever else writes to it (POSIX, PIPE_BUF; 4,096 bytes on Linux). */
const maxWriteBytes = 4096;

/** How long a line may wait for others. */
const waitsMs = 10;

export interface LineWriter {
  write(line: string): void;
  /** Sends what waits, at once. */
  flush(): void;
}

/** A write for each line costs more than the line: 10 µs and more, of a call's 150. */
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
      timer ??= setTimeout(flush, waitsMs);
      waiting.push(line);
      bytes += length;
    },
    flush,
  };
}
