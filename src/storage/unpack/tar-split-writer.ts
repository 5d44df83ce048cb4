import { writeSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Crc64 } from "./crc64.ts";
import { type TarName, tarNameBytes } from "./tar-name.ts";

/**
 * Writes tar-split: what an archive holds besides its files' contents, so that the very same archive can be made again
 * from the unpacked tree. The format of github.com/vbatts/tar-split: JSON lines, gzipped, of two types:
 * 1, a file with its name, size and the CRC-64 of its content; 2, a segment of raw bytes (headers, padding, the end).
 *
 * Synchronous, for the confined worker; the gzip file is made of members of about 1 MiB of JSON each, which every gzip
 * reader takes for one stream. The descriptor stays the caller's.
 */
export class TarSplitWriter {
  readonly #fd: number;
  readonly #crc = new Crc64();
  readonly #pending = Buffer.alloc(memberBytes);
  #fill = 0;
  #position = 0;
  #file: { readonly name: TarName; readonly size: number } | undefined;
  #wroteGlobalHeader = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Raw bytes between contents. */
  segment(raw: Uint8Array): void {
    for (let at = 0; at < raw.length; at += maxSegmentBytes) {
      const payload = Buffer.from(raw.buffer, raw.byteOffset + at, Math.min(maxSegmentBytes, raw.length - at));
      this.#line(`{"type":2,"payload":"${payload.toString("base64")}"`);
    }
  }

  /** tar-split takes a global header for a file without content; of several with one name, its readers accept only the first. */
  globalHeader(name: TarName): void {
    if (this.#wroteGlobalHeader) return;
    this.#wroteGlobalHeader = true;
    this.startFile(name, 0);
    this.endFile();
  }

  /** An entry begins, of whatever kind; `size` is that of its content. */
  startFile(name: TarName, size: number): void {
    this.#file = { name, size };
    if (size > 0) this.#crc.reset();
  }

  content(bytes: Uint8Array): void {
    this.#crc.update(bytes);
  }

  endFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const size = file.size > 0 ? `,"size":${file.size}` : "";
    const payload = file.size > 0 ? `"${this.#crc.digest().toString("base64")}"` : "null";
    this.#line(`{"type":1${nameField(file.name)}${size},"payload":${payload}`);
  }

  /** Writes what is still pending. Of an empty archive remains an empty segment, so that there is a stream to read. */
  finish(): void {
    if (this.#position === 0) this.#line(`{"type":2,"payload":""`);
    this.#flush();
  }

  #line(start: string): void {
    const line = `${start},"position":${this.#position}}\n`;
    this.#position++;
    const size = Buffer.byteLength(line, "utf8");
    if (size > memberBytes - this.#fill) this.#flush();
    if (size > memberBytes) this.#write(Buffer.from(line, "utf8"));
    else this.#fill += this.#pending.write(line, this.#fill, "utf8");
  }

  #flush(): void {
    if (this.#fill > 0) this.#write(this.#pending.subarray(0, this.#fill));
    this.#fill = 0;
  }

  #write(json: Uint8Array): void {
    const member = gzipSync(json, { level: 1 });
    for (let at = 0; at < member.length; ) at += writeSync(this.#fd, member, at);
  }
}

const memberBytes = 2 ** 20;
/** Small enough for its text to be short-lived garbage. */
const maxSegmentBytes = 2 ** 15;

function nameField(name: TarName): string {
  if (name.text === "") return "";
  if (!name.bytesAreText) return `,"name_raw":"${tarNameBytes(name).toString("base64")}"`;
  return `,"name":${goJsonText(name.text)}`;
}

/** A JSON string as Go's encoder writes it, which also escapes what HTML and JavaScript would trip over. */
function goJsonText(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
