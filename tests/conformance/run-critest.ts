import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pinnedDigest, pinnedImage } from "../support/fixtures/index.ts";
import { lastLines, run } from "../support/programs.ts";
import { plainRegistry } from "../support/registry/index.ts";
import { servedAs } from "../support/registry/names.ts";
import { parseReport, type SpecResult } from "./specs.ts";

/** Where the launcher puts critest in a node. */
export function critestPath(): string | undefined {
  const path = process.env.CRIO_TS_CRITEST;
  return path !== undefined && existsSync(path) ? path : undefined;
}

export interface CritestOptions {
  /** The daemon's socket. */
  readonly socket: string;
  /** Regular expression over the names of the specs to run. Default: all but the benchmarks, which critest leaves out itself. */
  readonly focus?: string;
  readonly skip?: string;
  /** exec, attach and port-forward by WebSocket instead of SPDY. */
  readonly webSocket?: boolean;
  /** critest then stops between two specs and counts the rest as failed. */
  readonly timeoutMs?: number;
  readonly onOutput?: (text: string) => void;
}

const defaultTimeoutMs = 1_200_000;
const graceMs = 120_000;

/** Runs critest against a daemon of this node to its end. Rejects when it cannot say what became of the specs. */
export async function runCritest(program: string, options: CritestOptions): Promise<readonly SpecResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "critest-"));
  try {
    const copy = await withServedDigest(program, join(folder, "critest"));
    const report = join(folder, "report.json");
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    const endpoint = `unix://${options.socket}`;
    const command = [
      copy,
      ...["--config", "/dev/null", "--runtime-endpoint", endpoint, "--image-endpoint", endpoint],
      ...["--ginkgo.no-color", "--ginkgo.v", "--ginkgo.json-report", report],
      `--ginkgo.timeout=${timeoutMs / 1000}s`,
      ...(options.webSocket ? ["--websocket-exec", "--websocket-attach", "--websocket-portforward"] : []),
      ...(options.focus === undefined ? [] : ["--ginkgo.focus", options.focus]),
      ...(options.skip === undefined ? [] : ["--ginkgo.skip", options.skip]),
    ];
    const { onOutput } = options;
    const done = await run(command, {
      cwd: folder,
      timeoutMs: timeoutMs + graceMs,
      ...(onOutput === undefined ? {} : { onOutput }),
    });
    const text = await readFile(report, "utf8").catch(() => undefined);
    if (text === undefined) {
      const words = lastLines(done.stdout + done.stderr, 40);
      throw new Error(`critest ended with status ${done.code} and left no report:\n${words}`);
    }
    return parseReport(text);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Copies critest, and puts the digest of the stand-in image in the place of the public image's that is compiled into it.
 * Both are the same number of characters; a Go program keeps its strings as they are.
 */
async function withServedDigest(program: string, copy: string): Promise<string> {
  const bytes = await readFile(program);
  const place = `/test-image-digest@${pinnedDigest}`;
  const at = bytes.indexOf(place, 0, "latin1");
  if (at === -1) throw new Error(`this critest pins another digest than ${pinnedDigest}: see fixtures/conformance.ts`);
  bytes.write(`/test-image-digest@${await servedDigest()}`, at, "latin1");
  await writeFile(copy, bytes, { mode: 0o755 });
  return copy;
}

/** The digest under which the node's registry serves the stand-in. */
async function servedDigest(): Promise<string> {
  const { repository, tag } = servedAs(pinnedImage);
  const address = process.env.CRIO_TS_REGISTRY ?? plainRegistry;
  const answer = await fetch(`http://${address}/v2/${repository}/manifests/${tag}`, {
    method: "HEAD",
    signal: AbortSignal.timeout(10_000),
  });
  const digest = answer.headers.get("docker-content-digest");
  if (digest?.length !== pinnedDigest.length)
    throw new Error(`the registry serves no ${pinnedImage} (${answer.status})`);
  return digest;
}
