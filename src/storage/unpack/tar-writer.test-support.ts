/** Archives for tests, well-formed and hostile. */
export interface TestEntry {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Claims this size in the header instead of the content's. */
  readonly size?: number;
  readonly device?: readonly [number, number];
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
}

/** An archive with its two blocks of zeros. */
export function tarOf(...entries: readonly (TestEntry | Uint8Array)[]): Buffer {
  return Buffer.concat([...entries.map(memberOf), Buffer.alloc(1024)]);
}

/** The same without them. */
export function tarMembers(...entries: readonly (TestEntry | Uint8Array)[]): Buffer {
  return Buffer.concat(entries.map(memberOf));
}

export function paxBody(records: Readonly<Record<string, string | Uint8Array>>): Buffer {
  return Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))));
}

function memberOf(entry: TestEntry | Uint8Array): Buffer {
  if (entry instanceof Uint8Array) return Buffer.from(entry);
  const content = Buffer.from(entry.content ?? "");
  const pax = entry.pax === undefined ? [] : [memberOf({ name: "pax", type: "x", content: paxBody(entry.pax) })];
  return Buffer.concat([...pax, headerBlock(entry), content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export function headerBlock(entry: TestEntry): Buffer {
  const block = Buffer.alloc(512);
  const size = entry.size ?? Buffer.from(entry.content ?? "").length;
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  octal(block, 100, 8, entry.mode ?? 0o644);
  octal(block, 108, 8, entry.uid ?? 0);
  octal(block, 116, 8, entry.gid ?? 0);
  octal(block, 124, 12, size);
  octal(block, 136, 12, entry.mtime ?? 1_700_000_000);
  block.write(entry.type ?? "0", 156, "latin1");
  Buffer.from(entry.link ?? "").copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(block, 329, 8, entry.device?.[0] ?? 0);
  octal(block, 337, 8, entry.device?.[1] ?? 0);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function octal(block: Buffer, at: number, width: number, value: number): void {
  const digits = value.toString(8);
  if (digits.length < width) {
    block.write(`${digits.padStart(width - 1, "0")}\0`, at, "latin1");
    return;
  }
  block.writeBigUInt64BE(BigInt(value), at + width - 8);
  block.writeUInt8(block.readUInt8(at) | 0x80, at);
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = 3 + Buffer.byteLength(key) + value.length; // space, equals sign, newline
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length++;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from("\n")]);
}
