import { randomFillSync } from "node:crypto";
import { read, write } from "node:fs";
import { promisify } from "node:util";
import { Fault } from "../../base/index.ts";

/**
 * What stands at the start of a lock file: whoever changes the data it guards writes a new one first, so that who has
 * the data in memory sees whether it still holds. 64 bytes, or fewer in a file that was never written to.
 */
export type ChangeToken = Buffer;

const tokenBytes = 64;
const readAt = promisify(read);
const writeAt = promisify(write);

/** The token of the lock file that is open as `fd`. */
export async function readToken(fd: number): Promise<ChangeToken> {
  const { bytesRead, buffer } = await readAt(fd, Buffer.alloc(tokenBytes), 0, tokenBytes, 0);
  return buffer.subarray(0, bytesRead);
}

export async function writeToken(fd: number, token: ChangeToken): Promise<void> {
  const { bytesWritten } = await writeAt(fd, token, 0, token.length, 0);
  if (bytesWritten !== token.length)
    throw new Fault("failed", "writing a change token: the disk took a part of it only");
}

/** A token that no other process and no earlier call has made: time, a counter, the process id, and random bytes, as containers/storage lays them out. */
export function newToken(nowNs: bigint, counter: bigint): ChangeToken {
  const token = Buffer.alloc(tokenBytes);
  token.writeBigUInt64LE(BigInt.asUintN(64, nowNs), 0);
  token.writeBigUInt64LE(BigInt.asUintN(64, counter), 8);
  token.writeUInt32LE(process.pid >>> 0, 16);
  randomFillSync(token, 20);
  return token;
}
