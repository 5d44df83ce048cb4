import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Fault, localTimestamp } from "../../base/index.ts";
import { type Call, flagText, isOn } from "../command.ts";
import { askDaemon, daemonJson, daemonText } from "../daemon-client.ts";
import { setUpLog } from "../log.ts";

const defaultSocket = "/var/run/crio/crio.sock";

/** `crio status config` */
export async function printDaemonConfig(call: Call): Promise<void> {
  call.terminal.out(await daemonText(socketOf(call), "/config"));
}

/** `crio status containers --id ID` */
export async function printContainer(call: Call): Promise<void> {
  const id = flagText(call.flags, "id", "");
  if (id === "") throw new Fault("invalid", "a container id is needed: --id");
  const container = await daemonJson(socketOf(call), `/containers/${encodeURIComponent(id)}`);
  call.terminal.out(containerText(container));
}

/** `crio status info` */
export async function printInfo(call: Call): Promise<void> {
  call.terminal.out(infoText(await daemonJson(socketOf(call), "/info")));
}

/** `crio status goroutines` */
export async function printGoroutines(call: Call): Promise<void> {
  call.terminal.out(await daemonText(socketOf(call), "/debug/goroutines"));
}

/** `crio status why [ID]`: what is under way, what it waits for and what can be done; of one pod or container, or of all. */
export async function printWhy(call: Call): Promise<void> {
  const [id, unwanted] = call.args;
  if (unwanted !== undefined)
    throw new Fault("invalid", `crio status why takes one id, and ${JSON.stringify(unwanted)} is another`);
  const path = id === undefined ? "/why" : `/why/${encodeURIComponent(id)}`;
  if (isOn(call.flags, "json")) {
    call.terminal.out(withNewline(await daemonText(socketOf(call), path)));
    return;
  }
  const { text } = await daemonJson(socketOf(call), path);
  if (typeof text !== "string")
    throw new Fault("failed", `crio answered ${path} without a text; --json shows what it said`);
  call.terminal.out(withNewline(text.split("\n").map(printable).join("\n")));
}

/** `crio status heap`: to a file that only its owner can read, for a heap holds secrets. */
export async function saveHeap(call: Call): Promise<void> {
  const response = await askDaemon(socketOf(call), "/debug/heap");
  const file = flagText(call.flags, "file", "") || `crio-heap-${localTimestamp(new Date())}.out`;
  if (file === "-") {
    await pipeline(response, process.stdout, { end: false });
    return;
  }
  await pipeline(response, createWriteStream(file, { mode: 0o600 }));
  await using log = await setUpLog({ write: call.terminal.err });
  log.logger.info(`Wrote heap dump to: ${file}`);
}

/** What `crio status containers` prints of the daemon's answer. */
export function containerText(container: Readonly<Record<string, unknown>>): string {
  return [
    line("name", container.name),
    line("pid", container.pid),
    line("image", container.image),
    line("image ref", container.image_ref),
    line("created", container.created_time),
    ...mapLines("labels", container.labels),
    ...mapLines("annotations", container.annotations),
    ...mapLines("CRI-O annotations", container.crio_annotations),
    line("log path", container.log_path),
    line("graph root", container.root),
    line("sandbox", container.sandbox),
    line("ips", Array.isArray(container.ip_addresses) ? container.ip_addresses.join(", ") : ""),
    "",
  ].join("\n");
}

/** What `crio status info` prints of the daemon's answer. */
export function infoText(info: Readonly<Record<string, unknown>>): string {
  const mappings = new Map(entriesOf(info.default_id_mappings));
  return [
    line("cgroup driver", info.cgroup_driver),
    line("storage driver", info.storage_driver),
    line("storage graph root", info.storage_root),
    line("storage image", info.storage_image),
    "default GID mappings (format <container>:<host>:<size>):",
    ...mappingLines(mappings.get("gids")),
    "default UID mappings (format <container>:<host>:<size>):",
    ...mappingLines(mappings.get("uids")),
    "",
  ].join("\n");
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function socketOf({ flags }: Call): string {
  return flagText(flags, "socket", defaultSocket);
}

function line(label: string, value: unknown): string {
  return `${label}: ${printable(value)}`;
}

function mapLines(label: string, map: unknown): readonly string[] {
  return [`${label}:`, ...entriesOf(map).map(([key, value]) => `  ${printable(key)}: ${printable(value)}`)];
}

function mappingLines(mappings: unknown): readonly string[] {
  if (!Array.isArray(mappings)) return [];
  return mappings.map((mapping) => {
    const fields = new Map(entriesOf(mapping));
    return `  ${["container_id", "host_id", "size"].map((key) => printable(fields.get(key))).join(":")}`;
  });
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** Names and annotations come from pods: what would steer a terminal is shown as an escape. */
function printable(value: unknown): string {
  const text = value === undefined || value === null ? "" : String(value);
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
