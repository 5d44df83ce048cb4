import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Answer, errorAnswer, jsonAnswer } from "./answer.ts";
import type { Authority } from "./auth.ts";
import type { RegistryStore } from "./store.ts";

export interface Routes {
  readonly store: RegistryStore;
  readonly authority: Authority;
  /** Uploads that have begun, by their id. */
  readonly uploads: Map<string, Buffer>;
}

const apiVersion = { "docker-distribution-api-version": "registry/2.0" };
const bodyLimit = 256 << 20;

/** Answers one request of the distribution API, version 2. */
export async function answerRegistry(routes: Routes, request: IncomingMessage, url: URL): Promise<Answer> {
  const { store, authority } = routes;
  const baseUrl = url.origin;
  if (url.pathname === "/token") {
    const token = authority.token(request, url);
    return token === undefined ? errorAnswer(401, "UNAUTHORIZED", "wrong user or password") : jsonAnswer(200, token);
  }
  if (url.pathname === "/v2" || url.pathname === "/v2/") {
    const challenge = authority.pingChallenge(request, baseUrl);
    return challenge === undefined ? jsonAnswer(200, {}, apiVersion) : unauthorized(challenge);
  }
  const route = /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|tags)(?:\/(.*))?$/.exec(url.pathname);
  const [, repository = "", kind = "", reference = ""] = route ?? [];
  if (route === null) return errorAnswer(404, "NAME_UNKNOWN", `no such path ${url.pathname}`);
  const challenge = authority.challenge(request, repository, baseUrl);
  if (challenge !== undefined) return unauthorized(challenge);
  switch (kind) {
    case "tags":
      return jsonAnswer(200, { name: repository, tags: store.tags(repository) });
    case "manifests":
      return request.method === "PUT"
        ? putManifest(routes, request, repository, reference)
        : getManifest(store, repository, reference);
    case "blobs":
      return getBlob(store, request, reference);
    default:
      return upload(routes, request, url, repository, reference);
  }
}

function getManifest(store: RegistryStore, repository: string, reference: string): Answer {
  const manifest = store.manifest(repository, reference);
  if (manifest === undefined) return errorAnswer(404, "MANIFEST_UNKNOWN", "manifest unknown");
  const headers = { "content-type": manifest.mediaType, "docker-content-digest": manifest.digest, ...apiVersion };
  return { status: 200, headers, body: manifest.bytes };
}

/** A blob, or the part of it that a `Range: bytes=from-[to]` header asks for. */
async function getBlob(store: RegistryStore, request: IncomingMessage, digest: string): Promise<Answer> {
  const blob = await store.blob(digest);
  if (blob === undefined) return errorAnswer(404, "BLOB_UNKNOWN", "blob unknown to registry");
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (range === null) return { status: 200, headers, body: blob };
  const from = Number(range[1]);
  const to = range[2] ? Math.min(Number(range[2]), blob.length - 1) : blob.length - 1;
  if (from > to)
    return {
      ...errorAnswer(416, "RANGE_INVALID", "range not satisfiable"),
      headers: { "content-range": `bytes */${blob.length}` },
    };
  const part = { ...headers, "content-range": `bytes ${from}-${to}/${blob.length}` };
  return { status: 206, headers: part, body: blob.subarray(from, to + 1) };
}

async function putManifest(
  { store }: Routes,
  request: IncomingMessage,
  repository: string,
  reference: string,
): Promise<Answer> {
  const digest = store.putManifest(
    repository,
    reference,
    request.headers["content-type"] ?? "",
    await readBody(request),
  );
  return created(`/v2/${repository}/manifests/${digest}`, digest);
}

/** POST begins an upload, PATCH adds to it, PUT adds and ends it; POST with a digest does all in one. */
async function upload(
  routes: Routes,
  request: IncomingMessage,
  url: URL,
  repository: string,
  id: string,
): Promise<Answer> {
  const uploadId = id || randomUUID();
  const before = routes.uploads.get(uploadId);
  if (id !== "" && before === undefined) return errorAnswer(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
  const bytes = Buffer.concat([before ?? Buffer.alloc(0), await readBody(request)]);
  const location = `/v2/${repository}/blobs/uploads/${uploadId}`;
  const announced = url.searchParams.get("digest");
  if (announced === null) {
    routes.uploads.set(uploadId, bytes);
    return {
      status: 202,
      headers: { location, range: `0-${Math.max(0, bytes.length - 1)}`, "docker-upload-uuid": uploadId },
      body: Buffer.alloc(0),
    };
  }
  routes.uploads.delete(uploadId);
  const digest = routes.store.putBlob(bytes);
  if (digest !== announced) return errorAnswer(400, "DIGEST_INVALID", `content has digest ${digest}`);
  return created(`/v2/${repository}/blobs/${digest}`, digest);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > bodyLimit) throw new Error("a pushed blob is larger than this registry holds");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function created(location: string, digest: string): Answer {
  return { status: 201, headers: { location, "docker-content-digest": digest }, body: Buffer.alloc(0) };
}

function unauthorized(challenge: string): Answer {
  return errorAnswer(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": challenge, ...apiVersion });
}
