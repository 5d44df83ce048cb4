import type { CgroupHost } from "../hierarchy.ts";
import { parseCount } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

/** What went to and came from one block device. */
export interface IoReading {
  readonly major: number;
  readonly minor: number;
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
  readonly reads: bigint;
  readonly writes: bigint;
  readonly discardBytes: bigint;
  readonly discards: bigint;
}

/** By device; none when the cgroup or its controller is not there, or nothing was read or written. */
export async function readIo(host: CgroupHost, path: CgroupPath): Promise<readonly IoReading[]> {
  if (host.version === 2) return ioFromV2(await readSetting(host, { path, controller: "io", file: "io.stat" }));
  for (const prefix of v1Prefixes) {
    const read = (file: string) =>
      readSetting(host, { path, controller: "blkio", file: `blkio.${prefix}${file}_recursive` });
    const [bytes, operations] = await Promise.all([read("io_service_bytes"), read("io_serviced")]);
    const readings = ioFromV1({ bytes, operations });
    if (readings.length > 0) return readings;
  }
  return [];
}

/** Which of v1's files count depends on the scheduler of the disk; the general one counts what passes the throttler. */
const v1Prefixes = ["bfq.", "throttle."] as const;

/** From `io.stat` of v2: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. */
export function ioFromV2(text: string | undefined): readonly IoReading[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const [device = "", ...pairs] = line.split(" ");
    const numbers = parseDevice(device);
    const values = new Map(pairs.filter((pair) => pair.includes("=")).map((pair) => splitAt(pair, "=")));
    if (numbers === undefined || values.size === 0) return []; // a device that nothing was read from is listed too
    const value = (name: string) => parseCount(values.get(name)) ?? 0n;
    return [
      {
        ...numbers,
        readBytes: value("rbytes"),
        writeBytes: value("wbytes"),
        reads: value("rios"),
        writes: value("wios"),
        discardBytes: value("dbytes"),
        discards: value("dios"),
      },
    ];
  });
}

/** From `blkio.*.io_service_bytes_recursive` and `blkio.*.io_serviced_recursive` of v1: lines of `8:0 Read 4096`. */
export function ioFromV1(texts: {
  readonly bytes: string | undefined;
  readonly operations: string | undefined;
}): readonly IoReading[] {
  const bytes = byDevice(texts.bytes);
  const operations = byDevice(texts.operations);
  return [...new Set([...bytes.keys(), ...operations.keys()])].flatMap((device) => {
    const numbers = parseDevice(device);
    if (numbers === undefined) return [];
    const count = (from: typeof bytes, operation: string) => from.get(device)?.get(operation) ?? 0n;
    return [
      {
        ...numbers,
        readBytes: count(bytes, "Read"),
        writeBytes: count(bytes, "Write"),
        reads: count(operations, "Read"),
        writes: count(operations, "Write"),
        discardBytes: count(bytes, "Discard"),
        discards: count(operations, "Discard"),
      },
    ];
  });
}

function byDevice(text: string | undefined): ReadonlyMap<string, ReadonlyMap<string, bigint>> {
  const devices = new Map<string, Map<string, bigint>>();
  for (const line of text?.split("\n") ?? []) {
    const [device = "", operation, value] = line.split(" ");
    const count = parseCount(value);
    if (operation === undefined || count === undefined) continue; // `Total 0` at the end
    const operations = devices.get(device) ?? new Map<string, bigint>();
    devices.set(device, operations.set(operation, count));
  }
  return devices;
}

function parseDevice(text: string): { readonly major: number; readonly minor: number } | undefined {
  const [, major, minor] = /^(\d{1,7}):(\d{1,7})$/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
}
