import { ReadStream } from "node:tty";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked, close } from "./syscalls.ts";

const TIOCSWINSZ = 0x5414;

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Our side of a pseudo-terminal: what is written is its keyboard, what is read its screen. */
export interface Terminal {
  /** What the programs on it write. Ends when the last of them has closed it. */
  readonly output: AsyncIterable<Buffer>;
  /** Resolves when the kernel has taken it. */
  write(data: Uint8Array): Promise<void>;
  resize(size: TerminalSize): void;
  close(): void;
}

/**
 * Takes over `masterFd`, the master of a pseudo-terminal: `close` closes it. Throws Fault("invalid"), with the descriptor
 * closed, when it is no terminal.
 */
export function terminalOf(masterFd: number): Terminal {
  const stream = streamOf(masterFd);
  stream.on("error", () => {});
  let closed = false;
  stream.on("close", () => {
    closed = true;
  });
  return {
    output: untilHangUp(stream),
    write: (data) =>
      new Promise((resolve, reject) => {
        stream.write(data, (error) => (error ? reject(error) : resolve()));
      }),
    resize(size) {
      if (!closed) resizeTerminal(masterFd, size);
    },
    close() {
      closed = true; // the descriptor may be another's as soon as the stream lets go of it
      stream.destroy();
    },
  };
}

function streamOf(masterFd: number): ReadStream {
  try {
    return new ReadStream(masterFd);
  } catch (error) {
    close(masterFd);
    throw new Fault("invalid", `not a terminal: ${reasonOf(error)}`, { cause: error });
  }
}

/** Sets the size of a terminal, each number 0 to 65535. Its programs get SIGWINCH. */
export function resizeTerminal(fd: number, size: TerminalSize): void {
  const winsize = Buffer.alloc(8); // rows, columns, and two sizes in pixels that nobody uses
  winsize.writeUInt16LE(Math.min(Math.max(Math.trunc(size.rows), 0), 0xffff), 0);
  winsize.writeUInt16LE(Math.min(Math.max(Math.trunc(size.columns), 0), 0xffff), 2);
  checked(libc().ioctl(fd, TIOCSWINSZ, winsize), "ioctl TIOCSWINSZ");
}

/** The kernel reports the end of a terminal, when all that was written has been read, as EIO. */
async function* untilHangUp(stream: ReadStream): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    if (errnoOf(error) !== "EIO") throw error;
  }
}
