import { Fault, KeyedLock } from "../../base/index.ts";
import type { ProgramResult } from "../../host/index.ts";
import { exitStatusText } from "../../host/index.ts";
import type { Runner } from "../runner.ts";
import { type Backend, maxListingBytes, toolTimeoutMs } from "./backend.ts";
import type { Family } from "./mapping.ts";
import { parseElements, type TableElement } from "./nftables-elements.ts";
import { addScript, commentOf, deleteScript, nftFamily, table, tableScript } from "./nftables-script.ts";

/**
 * Host ports by nftables. Rejects with a Fault that says why when this host cannot: no `nft`, one without JSON,
 * or one or a kernel that does not know what the table needs.
 */
export async function createNftables(runner: Runner, family: Family, signal: AbortSignal): Promise<Backend> {
  const path = await runner.findProgram("nft");
  if (path === undefined) throw new Fault("not-found", 'could not find "nft" in PATH');
  const nft = (args: readonly string[], input?: string, end = signal) =>
    runner.runProgram(path, args, {
      timeoutMs: toolTimeoutMs,
      maxOutputBytes: maxListingBytes,
      signal: end,
      ...(input === undefined ? {} : { input }),
    });
  const where = [nftFamily(family), table] as const;
  // Between listing elements and deleting them nobody else of us may delete them.
  const lock = new KeyedLock<"table">("nftables");
  const locked = <T>(work: () => Promise<T>, end: AbortSignal) => lock.with("table", work, end);

  async function elements(end: AbortSignal): Promise<readonly TableElement[]> {
    const result = await nft(["--json", "list", "table", ...where], undefined, end);
    if (!succeeded(result) && /No such file or directory/.test(String(result.stderr))) return [];
    return parseElements(checked(result, "list table").stdout, maxListingBytes);
  }

  async function remove(unwanted: (element: TableElement) => boolean, end: AbortSignal): Promise<void> {
    const gone = (await elements(end)).filter(unwanted);
    if (gone.length > 0) checked(await nft(["-f", "-"], deleteScript(family, gone), end), "delete element");
  }

  checked(await nft(["--check", "-f", "-"], tableScript(family)), "--check");
  checked(await nft(["--json", "list", "tables", nftFamily(family)]), "--json list tables");

  return {
    name: "nftables",
    family,
    add: ({ id, ip, mappings }, end) =>
      locked(async () => {
        const result = await nft(["-f", "-"], addScript(family, id, ip, mappings), end);
        if (!succeeded(result) && /File exists/.test(String(result.stderr))) {
          const ports = mappings.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`).join(", ");
          throw new Fault("exists", `another pod has host port ${ports}, or one of them: ${words(result)}`);
        }
        checked(result, "add element");
      }, end),
    remove: ({ id }, end) => {
      const comment = commentOf(id);
      return locked(() => remove((element) => element.comment === comment, end), end);
    },
    keepOnly: (pods, end) => {
      const comments = new Set(pods.map(({ id }) => commentOf(id)));
      return locked(() => remove((element) => !comments.has(element.comment), end), end);
    },
  };
}

function succeeded({ exit }: ProgramResult): boolean {
  return exit.is === "exited" && exit.code === 0;
}

function checked(result: ProgramResult, what: string): ProgramResult {
  if (succeeded(result)) return result;
  throw new Fault("failed", `nft ${what} failed: ${words(result)}`);
}

function words({ exit, stderr }: ProgramResult): string {
  return `${exitStatusText(exit)}: ${String(stderr).trim().slice(0, 1000)}`;
}
