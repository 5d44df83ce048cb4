/** One stream's share of a container log. */
export interface SplitLog {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Takes a log in CRI's format apart: `<time> <stdout|stderr> <P|F> <content>\n`. The newline behind a partial line (`P`) was
 * added by the writer and is dropped; that behind a full line (`F`) is content. A last line without newline is cut off text.
 */
export function splitLog(log: Buffer): SplitLog {
  const parts: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  for (let from = 0; from < log.length; ) {
    const newline = log.indexOf(0x0a, from);
    const end = newline === -1 ? log.length : newline;
    const line = log.subarray(from, end);
    const head = /^\S+ (stdout|stderr) ([PF]) /.exec(line.subarray(0, 64).toString("latin1"));
    if (head !== null) {
      const keepsNewline = head[2] === "F" && newline !== -1;
      const content = log.subarray(from + head[0].length, keepsNewline ? end + 1 : end);
      parts[head[1] === "stdout" ? "stdout" : "stderr"].push(content);
    }
    from = end + 1;
  }
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}
