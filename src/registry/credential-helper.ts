import { codeOf, Fault } from "../base/index.ts";
import { exitStatusText, findProgram, type ProgramResult, runProgram } from "../host/index.ts";
import { jsonText, parseJsonObject } from "../oci/index.ts";
import type { Credential } from "./credential.ts";
import { printable } from "./words.ts";

const timeoutMs = 30_000;
const maxOutputBytes = 256 * 1024;

/** Asks a credential helper for the credential of a host; undefined when it has none. */
export type AskHelper = (helper: string, host: string, signal: AbortSignal) => Promise<Credential | undefined>;

/**
 * Runs `docker-credential-<helper> get` with the host on standard input (the protocol of docker-credential-helpers).
 * Rejects with a Fault when there is no such program or it fails; its standard output never appears anywhere.
 */
export const askHelper: AskHelper = async (helper, host, signal) => {
  const name = `docker-credential-${helper}`;
  const step = `asking the credential helper ${printable(name)} about ${host}`;
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(helper))
    throw new Fault("invalid", `${step}: that is no program name`);
  const path = await findProgram(name);
  if (path === undefined) throw new Fault("not-found", `${step}: no such program in PATH`);
  const { exit, stdout, stderr } = await run(path, host, signal, step);
  if (exit.is === "exited" && exit.code === 0) return credentialFrom(stdout, step);
  if (/credentials not found/i.test(stdout.toString("utf8"))) return undefined;
  const words = printable(stderr.toString("utf8").trim().split("\n").at(-1) ?? "");
  throw new Fault("failed", `${step}: ${exitStatusText(exit)}${words === "" ? "" : `: ${words}`}`);
};

async function run(path: string, host: string, signal: AbortSignal, step: string): Promise<ProgramResult> {
  try {
    return await runProgram(path, ["get"], { timeoutMs, input: host, maxOutputBytes, signal });
  } catch (error) {
    signal.throwIfAborted();
    // the Fault itself quotes what the program had written, its cause does not
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : "it could not be run";
    throw new Fault(codeOf(error), `${step}: ${reason}`);
  }
}

function credentialFrom(stdout: Uint8Array, step: string): Credential | undefined {
  const what = `${step}: its answer`;
  const body = parseJsonObject(stdout, what, maxOutputBytes);
  const [username, secret] = [jsonText(body, "Username", what) ?? "", jsonText(body, "Secret", what) ?? ""];
  if (username === "<token>") return { username: "", password: "", identityToken: secret };
  return username === "" ? undefined : { username, password: secret };
}
