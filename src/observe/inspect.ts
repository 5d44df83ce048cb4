import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { getHeapSnapshot } from "node:v8";
import { codeOf, type Logger, type Operations, reasonOf } from "../base/index.ts";
import { exactJson } from "../oci/index.ts";
import { containerInfoJson, type InspectState } from "./container-info.ts";
import { activityText, cpuProfile } from "./debug.ts";
import type { WhyAnswer } from "./why.ts";

/** What `GET /info` answers, by CRI-O's names: cAdvisor reads it. */
export interface DaemonInfo {
  readonly storage_driver: string;
  readonly storage_image: string;
  readonly storage_root: string;
  readonly cgroup_driver: string;
  readonly default_id_mappings: { readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };
}

export interface IdRange {
  readonly container_id: bigint;
  readonly host_id: bigint;
  readonly size: bigint;
}

export interface InspectDeps {
  readonly state: InspectState;
  readonly operations: Operations;
  readonly info: () => DaemonInfo;
  /** The configuration in force, as TOML. */
  readonly config: () => string;
  /** Reject with Fault("not-found") or Fault("precondition"). */
  readonly pause: (id: string) => Promise<void>;
  readonly unpause: (id: string) => Promise<void>;
  /** What the operations in flight wait for; those about an id, or all. */
  readonly why: (id: string | undefined) => Promise<WhyAnswer>;
  /** Whether /debug/pprof/ is there too. */
  readonly profiling: boolean;
  readonly log: Logger;
}

interface Answer {
  readonly type: string;
  readonly body: string;
}

/** The HTTP/1 endpoints of the CRI socket (reference: annotations-and-features.md 14). */
export function inspectEndpoints(deps: InspectDeps): RequestListener {
  return (request, response) => {
    answer(deps, request, response).catch((error: unknown) => {
      deps.log.warn("answering an inspect request failed", { url: request.url, error: reasonOf(error) });
      if (response.headersSent) response.destroy();
      else send(response, 500, plain(`${reasonOf(error)}\n`));
    });
  };
}

async function answer(deps: InspectDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = URL.parse(request.url ?? "/", "http://crio");
  if (url === null) return send(response, 400, plain("400 bad request\n"));
  const path = url.pathname;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return send(response.setHeader("allow", "GET, HEAD"), 405, plain("405 method not allowed\n"));
  }
  if (path === "/debug/heap") return await sendHeap(response);
  const route = routes(deps).find(([pattern]) => pattern.test(path));
  if (route === undefined) return send(response, 404, plain("404 page not found\n"));
  const [pattern, handle] = route;
  const id = pattern.exec(path)?.[1];
  try {
    send(response, 200, await handle(id ?? "", url));
  } catch (error) {
    const status = statuses.get(codeOf(error));
    if (status === undefined) throw error;
    send(response, status, plain(`${reasonOf(error)}\n`));
  }
}

const statuses: ReadonlyMap<string, number> = new Map([
  ["not-found", 404],
  ["precondition", 409],
]);

type Route = readonly [pattern: RegExp, handle: (id: string, url: URL) => Promise<Answer> | Answer];

function routes(deps: InspectDeps): readonly Route[] {
  return [
    [/^\/info$/, () => json(exactJson(deps.info()))],
    [/^\/config$/, () => ({ type: "application/toml", body: deps.config() })],
    [/^\/containers\/([^/]+)$/, (id) => json(containerInfoJson(deps.state, id))],
    [/^\/pause\/([^/]+)$/, (id) => done(deps.pause(id))],
    [/^\/unpause\/([^/]+)$/, (id) => done(deps.unpause(id))],
    [/^\/why$/, async () => json(JSON.stringify(await deps.why(undefined)))],
    [/^\/why\/([^/]+)$/, async (id) => json(JSON.stringify(await deps.why(id)))],
    [/^\/debug\/goroutines$/, () => plain(activityText(deps.operations))],
    ...(deps.profiling ? profiles(deps) : []),
  ];
}

/** Under the paths of Go's net/http/pprof, what Node has in their place. */
function profiles({ operations }: Pick<InspectDeps, "operations">): readonly Route[] {
  return [
    [/^\/debug\/pprof\/?$/, () => plain("cmdline\ngoroutine\nprofile?seconds=30\nheap is at /debug/heap\n")],
    [/^\/debug\/pprof\/cmdline$/, () => plain(process.argv.join("\0"))],
    [/^\/debug\/pprof\/goroutine$/, () => plain(activityText(operations))],
    [/^\/debug\/pprof\/profile$/, async (_id, url) => json(await cpuProfile(url.searchParams.get("seconds")))],
  ];
}

/** The profiles alone, for `--profile`. */
export function profileEndpoints(deps: Pick<InspectDeps, "operations">): RequestListener {
  const all = profiles(deps);
  return (request, response) => {
    const url = URL.parse(request.url ?? "/", "http://crio");
    if (url?.pathname === "/debug/pprof/heap") {
      sendHeap(response).catch(() => response.destroy());
      return;
    }
    const route = all.find(([pattern]) => pattern.test(url?.pathname ?? ""));
    if (url === null || route === undefined) return send(response, 404, plain("404 page not found\n"));
    Promise.resolve(route[1]("", url)).then(
      (body) => send(response, 200, body),
      (error: unknown) => send(response, 500, plain(`${reasonOf(error)}\n`)),
    );
  };
}

/** V8's snapshot of the heap (`.heapsnapshot`). Making it stops the daemon for a moment: this is asked for by hand. */
async function sendHeap(response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  await pipeline(getHeapSnapshot(), response);
}

async function done(work: Promise<void>): Promise<Answer> {
  await work;
  return { type: "text/html", body: "200 OK" };
}

function json(body: string): Answer {
  return { type: "application/json", body };
}

function plain(body: string): Answer {
  return { type: "text/plain; charset=utf-8", body };
}

function send(response: ServerResponse, status: number, { type, body }: Answer): void {
  response.writeHead(status, { "content-type": type, "x-content-type-options": "nosniff" }).end(body);
}
