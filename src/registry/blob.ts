import { createHash } from "node:crypto";
import { type Logger, reasonOf } from "../base/index.ts";
import { type Descriptor, digestAlgorithm, digestFromHex, repositoryText } from "../oci/index.ts";
import { contentFault, isTransient, prematureEnd } from "./failure.ts";
import type { HttpResponse } from "./http.ts";
import type { RegistryLimits } from "./limits.ts";
import { pauseAfter } from "./retry.ts";
import type { RegistrySession } from "./session.ts";
import { RegistrySource } from "./source.ts";

export interface BlobOptions {
  readonly signal: AbortSignal;
  /** Called with the number of new bytes, before they are handed on. */
  readonly onBytes?: (count: number) => void;
  /**
   * The reader hashes the bytes by itself and compares the digest, so that it is not done twice; only the size is verified here
   * then. Taken for SHA-256 alone: blobs with other digests are verified here all the same. Default: no.
   */
  readonly readerVerifies?: boolean;
}

export interface BlobDeps {
  readonly limits: RegistryLimits;
  readonly log: Logger;
}

type WantedBlob = Pick<Descriptor, "digest" | "size">;

/**
 * Downloads a blob, as slowly as its reader takes it. Size and digest are verified on the way: the bytes can be trusted only
 * once the iteration has ended without an error; otherwise it rejects with Fault("corrupt"). The pieces are the reader's to keep. A connection that breaks or
 * stalls is resumed where it stopped; an endpoint that fails for good is followed by the next. Ending the iteration early, or
 * aborting the signal, closes the connection at once.
 */
export async function* downloadBlob(
  deps: BlobDeps,
  source: RegistrySource,
  wanted: WantedBlob,
  { signal, onBytes, readerVerifies = false }: BlobOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const algorithm = digestAlgorithm(wanted.digest);
  const hash = readerVerifies && algorithm === "sha256" ? undefined : createHash(algorithm);
  const route = new Route(deps, RegistrySource.sessionsOf(source));
  let offset = 0;
  while (offset < wanted.size) {
    const part = bytesFrom(route.session, wanted, offset, signal);
    try {
      // the reader's turn is outside of `nextOf`: what it throws into a yield is not the registry's failure
      for (let next = await nextOf(part); next.is !== "end"; next = await nextOf(part)) {
        if (next.is === "failed") {
          signal.throwIfAborted();
          await route.afterFailure(next.error, offset, signal);
          break;
        }
        hash?.update(next.bytes);
        offset += next.bytes.byteLength;
        onBytes?.(next.bytes.byteLength);
        yield next.bytes;
      }
    } finally {
      await part.return();
    }
  }
  if (hash === undefined) return;
  const actual = digestFromHex(hash.digest("hex"), algorithm);
  if (actual !== wanted.digest) {
    throw contentFault(`${stepOf(route.session, wanted)}: the digest of what came is ${actual}`);
  }
}

/** Which endpoint is asked; decides after each failure: again, elsewhere, or not at all. */
class Route {
  readonly #deps: BlobDeps;
  readonly #sessions: readonly RegistrySession[];
  #failures = 0;
  #offsetAtFailure = 0;
  session: RegistrySession;

  constructor(deps: BlobDeps, sessions: readonly [RegistrySession, ...RegistrySession[]]) {
    this.#deps = deps;
    this.session = sessions[0];
    this.#sessions = sessions;
  }

  /** Resolves when it is time for another request. Rejects with `error` when there is no hope. */
  async afterFailure(error: unknown, offset: number, signal: AbortSignal): Promise<void> {
    const { limits, log } = this.#deps;
    if (offset - this.#offsetAtFailure >= limits.progressBytes) this.#failures = 0;
    this.#offsetAtFailure = offset;
    this.#failures++;
    const allowed = this.session.endpoint.isMirror ? limits.mirrorAttempts : limits.attempts;
    if (isTransient(error) && this.#failures < allowed) {
      return pauseAfter(limits, this.#failures, error, { log, signal });
    }
    const next = this.#sessions[this.#sessions.indexOf(this.session) + 1];
    if (next === undefined) throw error;
    log.warn("blob download goes on elsewhere", { reason: reasonOf(error), offset });
    this.session = next;
    this.#failures = 0;
  }
}

type Next =
  | { readonly is: "bytes"; readonly bytes: Uint8Array }
  | { readonly is: "failed"; readonly error: unknown }
  | { readonly is: "end" };

async function nextOf(part: AsyncGenerator<Uint8Array, void, undefined>): Promise<Next> {
  try {
    const next = await part.next();
    return next.done === true ? { is: "end" } : { is: "bytes", bytes: next.value };
  } catch (error) {
    return { is: "failed", error };
  }
}

/** One request's bytes from `offset` on: all that are missing, or a Fault. */
async function* bytesFrom(
  session: RegistrySession,
  wanted: WantedBlob,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const what = stepOf(session, wanted);
  const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const response = await session.get(`blobs/${wanted.digest}`, { what, notFound: "blob unknown", headers, signal });
  try {
    let at = startOf(response, wanted, offset, what);
    for await (const chunk of response.body) {
      if (at + chunk.byteLength > wanted.size) throw contentFault(`${what}: more than ${wanted.size} bytes came`);
      const news = chunk.subarray(Math.min(Math.max(offset - at, 0), chunk.byteLength));
      at += chunk.byteLength;
      if (news.byteLength > 0) yield news;
    }
    if (at < wanted.size) throw prematureEnd(what, at, wanted.size);
  } finally {
    response.close();
  }
}

/** Where the body begins: at `offset`, or at 0 when the server ignores ranges. Refuses one of the wrong length. */
function startOf(response: HttpResponse, wanted: WantedBlob, offset: number, what: string): number {
  const start = response.status === 206 ? rangeStart(response.headers["content-range"], wanted.size) : 0;
  if (start === undefined || (start !== 0 && start !== offset)) {
    throw contentFault(`${what}: the registry answered with another range than was asked for`, "failed");
  }
  const length = response.headers["content-length"];
  if (length !== undefined && Number(length) !== wanted.size - start) {
    throw contentFault(`${what}: it has ${start + Number(length)} bytes, not ${wanted.size}`);
  }
  return start;
}

function rangeStart(header: string | undefined, size: number): number | undefined {
  const [, start, total] = /^bytes ([0-9]{1,15})-[0-9]{1,15}\/([0-9]{1,15}|\*)$/.exec(header ?? "") ?? [];
  if (start === undefined || (total !== "*" && Number(total) !== size)) return undefined;
  return Number(start);
}

function stepOf({ endpoint }: RegistrySession, wanted: WantedBlob): string {
  return `reading blob ${wanted.digest} in ${repositoryText(endpoint.reference)}`;
}
